"""Flask extensions of the web app, made once and bound in ``factory.bind_web``."""

from __future__ import annotations

from flask_babel import Babel
from flask_migrate import Migrate
from flask_security import Security
from flask_wtf import CSRFProtect

babel = Babel()
csrf = CSRFProtect()
migrate = Migrate()
security = Security()
