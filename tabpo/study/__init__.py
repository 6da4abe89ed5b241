"""From a YAML file to a resolved study, and to the settings of each job."""
