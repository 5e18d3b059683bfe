"""Flask extensions of the web app, made once and bound in ``factory.bind_web``."""

from __future__ import annotations

from flask_babel import Babel
from flask_migrate import Migrate
from flask_security import Security
from flask_wtf import CSRFProtect

from .passwords import PasswordRules
from .second_factors import Codes, PasskeyUtil, RecoveryCodes

babel = Babel()
csrf = CSRFProtect()
migrate = Migrate()
security = Security(
    password_util_cls=PasswordRules,
    totp_cls=Codes,
    mf_recovery_codes_util_cls=RecoveryCodes,
    webauthn_util_cls=PasskeyUtil,
)
