"""Writers of answers in the formats of annotation tools; each module writes one."""
