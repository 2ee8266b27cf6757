"""The model families: one small file for each way in which a config turns into layers."""
