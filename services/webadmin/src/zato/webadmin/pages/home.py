"""The first page: how the cluster is, and where to go from here."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from zato.webadmin.menu import Entry
from zato.webadmin.person import person

PAGE = Blueprint("home", __name__)
MENU = (Entry("Overview", "home.page", "layout-dashboard"),)


@PAGE.get("/")
def page() -> ResponseReturnValue:
    return render_template("home/page.html", cluster=person().ask("zato.cluster.get-status"))
