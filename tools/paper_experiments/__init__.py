"""The paper's figures and tables: trainings, analysis and drawing of each."""
