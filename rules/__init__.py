"""The declarative rules, one TOML file each."""
