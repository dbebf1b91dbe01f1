"""The guide's application in Python: flask-oidc logs people in at any provider.

Runs on flask-oidc 2.x and on 1.4.0, whose configuration keys and calls it uses
as the guide does. The tests start it with the values of a provider in the
variables of the guide (CLIENT_ID, CLIENT_SECRET, ISSUER, REDIRECT_URI,
TOKEN_ENDPOINT, USERINFO_ENDPOINT) and, because the old library asks for them,
AUTHORIZATION_ENDPOINT and INTROSPECTION_ENDPOINT. CLIENT_SECRETS names a file
to write them to: 1.x reads nothing but a file.
"""

import importlib.metadata
import json
import os
import secrets
from urllib.parse import urlsplit

from flask import Flask, jsonify, redirect, url_for
from flask_oidc import OpenIDConnect

OLD = importlib.metadata.version("flask-oidc").startswith("1.")


def client_secrets():
    """The provider's values, as the library wants them."""
    env = os.environ
    web = {
        "client_id": env["CLIENT_ID"],
        "client_secret": env["CLIENT_SECRET"],
        "issuer": env["ISSUER"],
        "auth_uri": env["AUTHORIZATION_ENDPOINT"],
        "token_uri": env["TOKEN_ENDPOINT"],
        "userinfo_uri": env["USERINFO_ENDPOINT"],
        "token_introspection_uri": env["INTROSPECTION_ENDPOINT"],
        "redirect_uris": [env["REDIRECT_URI"]],
    }
    if "CLIENT_SECRETS" not in env:
        return {"web": web}
    with open(env["CLIENT_SECRETS"], "w", encoding="utf-8") as file:
        json.dump({"web": web}, file)
    return env["CLIENT_SECRETS"]


callback = urlsplit(os.environ["REDIRECT_URI"])
app = Flask(__name__)
app.config.update(
    SECRET_KEY=secrets.token_hex(32),
    OIDC_CLIENT_SECRETS=client_secrets(),
    OIDC_SCOPES=["openid", "email", "profile"],
    OIDC_CALLBACK_ROUTE=callback.path,
    OIDC_COOKIE_SECURE=False,
)
oidc = OpenIDConnect(app)


@app.route("/")
def home():
    return "Everybody may read this page."


@app.route("/protected")
@oidc.require_login
def protected():
    user = oidc.user_getinfo(["email", "sub", "name"])
    return jsonify({"message": "You are authenticated", "user": user})


# 2.x has a /logout of its own, which wins over this one.
@app.route("/logout")
def logout():
    oidc.logout()
    return redirect(url_for("home"))


# An API beside the pages: whoever calls brings an access token, and the library
# asks the provider's introspection endpoint about it.
@app.route("/api")
@(oidc.accept_token(require_token=True, scopes_required=["email"]) if OLD else oidc.accept_token(scopes=["email"]))
def api():
    return jsonify({"message": "This token is good"})


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=callback.port)
