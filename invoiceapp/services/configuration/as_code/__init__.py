"""Configuration as code: a subscription's adaptors, gateways and rules as one YAML file, and back (docs/configuration-as-code.md).

``export`` writes what is stored; ``apply`` makes what is stored as a file says,
all of it or nothing; a dry run is the same work, rolled back.
"""

from .applying import Options, Outcome, apply
from .exporting import export
from .problems import ConfigurationInvalid, Problem
from .wording import Change

__all__ = ["Change", "ConfigurationInvalid", "Options", "Outcome", "Problem", "apply", "export"]
