from flask import Flask, jsonify, request

application = Flask(__name__)


@application.post("/plain")
def plain():
    return jsonify(request.get_json())
