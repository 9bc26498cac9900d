"""How tools/make_voc.py draws its images."""
