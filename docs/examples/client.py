"""Asks and changes the graph of a `sky dev` cluster: python docs/examples/client.py DIRECTORY

Once, in a virtual environment:
    pip install grpcio-tools
    python -m grpc_tools.protoc -I proto --python_out=. --grpc_python_out=. proto/com/hellblazer/delphi/v1/oracle.proto
"""

import json
import sys
from pathlib import Path

import grpc
from com.hellblazer.delphi.v1 import oracle_pb2 as pb
from com.hellblazer.delphi.v1 import oracle_pb2_grpc as stubs

directory = Path(sys.argv[1])
folder = directory / "clients" / "default"
node = json.loads((directory / "cluster.json").read_text())["nodes"][0]

credentials = grpc.ssl_channel_credentials(
    root_certificates=(folder / "ca.pem").read_bytes(),
    private_key=(folder / "client-key.pem").read_bytes(),
    certificate_chain=(folder / "client.pem").read_bytes(),
)
org = pb.Namespace_(name="my-org")
member = pb.Relation_(namespace=org, name="member")
veli = pb.Subject_(namespace=org, name="Veli")
users = pb.Subject_(namespace=org, name="Users", relation=member)
report = pb.Object_(namespace=org, name="Report")

with grpc.secure_channel(f"localhost:{node['ports']['service']}", credentials) as channel:
    oracle = stubs.Oracle_Stub(channel)
    oracle.mapSubject(pb.SubjectMap(parent=veli, child=users), timeout=30)
    ts = oracle.addAssertion(pb.Assertion_(subject=users, object=report), timeout=30).ts
    asked = pb.AssertionAt(ts=ts, assertion=pb.Assertion_(subject=veli, object=report))
    print("may Veli see the report?", oracle.check(asked, timeout=5).result)
    print("who may:", [subject.name for subject in oracle.expandSubject(report, timeout=5).subjects])
