# OpenStack Swift with its S3 API, all four servers of it as green threads of one process, so that a test starts, stops
# and pauses them as one. Everything it keeps is in FOLDER; a second start there finds what the first one kept.
#
#   python3 swift.py FOLDER PORT USER:KEY    PORT 0 takes a free one. Prints the port when it answers.

import os
import sys

FOLDER, PORT, (USER, KEY) = sys.argv[1], int(sys.argv[2]), sys.argv[3].split(":")
CONFIG = os.path.join(FOLDER, "config")
DEVICES = os.path.join(FOLDER, "devices")
os.makedirs(CONFIG, exist_ok=True)
os.makedirs(os.path.join(DEVICES, "d1"), exist_ok=True)


def write(name, text):
    path = os.path.join(CONFIG, name)
    with open(path, "w") as file:
        file.write(text)
    return path


# Limits of metadata as AWS has them; Swift's own are narrower for one value.
write("swift.conf", """
[swift-hash]
swift_hash_path_suffix = islet
[swift-constraints]
max_meta_value_length = 2048
max_meta_overall_size = 8192
""")

import swift.common.utils as utils

utils.SWIFT_CONF_FILE = os.path.join(CONFIG, "swift.conf")
utils.eventlet_monkey_patch()

import eventlet
import eventlet.event
from eventlet import wsgi
from swift.common.http_protocol import SwiftHttpProtocol
from swift.common.ring import RingBuilder
from swift.common.wsgi import loadapp

COMMON = f"""
[DEFAULT]
swift_dir = {CONFIG}
devices = {DEVICES}
mount_check = false
disable_fallocate = true
log_level = ERROR
log_address = {CONFIG}/no-log
"""


def listen(port=0):
    return eventlet.listen(("127.0.0.1", port), backlog=512)


class Cache:
    """In the place of memcached, which the S3 API asks for; nothing here lives long enough to expire."""

    def __init__(self):
        self.kept = {}

    def get(self, key, **_):
        return self.kept.get(key)

    def set(self, key, value, **_):
        self.kept[key] = value

    def delete(self, key, **_):
        self.kept.pop(key, None)

    def incr(self, key, delta=1, **_):
        self.kept[key] = int(self.kept.get(key) or 0) + delta
        return self.kept[key]


CACHE = Cache()


def cached(app):
    def call(env, start_response):
        env["swift.cache"] = CACHE
        return app(env, start_response)
    return call


def serve(name, text, sock):
    # No socket of syslog: what is logged goes nowhere.
    app = cached(loadapp(write(f"{name}.conf", COMMON + text), {"log_name": name}))
    eventlet.spawn(
        wsgi.server, sock, app, utils.NullLogger(),
        protocol=SwiftHttpProtocol, socket_timeout=60, capitalize_response_headers=False)


def ring(name, port):
    builder = RingBuilder(1, 1, 0)
    builder.add_dev({"region": 1, "zone": 1, "weight": 1, "ip": "127.0.0.1", "port": port, "device": "d1"})
    builder.rebalance(seed=1)
    builder.get_ring().save(os.path.join(CONFIG, f"{name}.ring.gz"))


for kind in ("account", "container", "object"):
    sock = listen()
    ring(kind, sock.getsockname()[1])
    serve(kind, f"""
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
""", sock)

front = listen(PORT)
serve("proxy", f"""
[pipeline:main]
pipeline = catch_errors listing_formats s3api tempauth copy slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_test_{USER} = {KEY} .admin
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
""", front)
print(front.getsockname()[1], flush=True)
eventlet.event.Event().wait()
