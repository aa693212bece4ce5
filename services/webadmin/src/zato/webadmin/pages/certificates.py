"""The cluster's authority, and the certificates that its parts have: when they expire, who was revoked."""

import time

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from zato.webadmin.context import webadmin
from zato.webadmin.menu import Entry

PAGE = Blueprint("certificates", __name__, url_prefix="/certificates")
MENU = (Entry("Certificates", "certificates.page", "shield-check"),)


@PAGE.get("/")
def page() -> ResponseReturnValue:
    found = webadmin().parts.certificates()
    certificates = sorted(found.certificates, key=lambda each: (each.state != "valid", each.not_after))
    return render_template("certificates/page.html", state=found.state, certificates=certificates, now=time.time())
