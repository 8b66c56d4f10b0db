"""Asks a sealed node for its status with an operator's certificate. Prints what gRPC's C++ core (BoringSSL) makes of the boot certificate.

Arguments: directory of the compiled protocol, PEM of what is trusted, the operator's key and certificate, address.
"""

import pathlib
import sys

import grpc

sys.path.insert(0, sys.argv[1])
from sky.ceremony.v1 import ceremony_pb2 as pb  # noqa: E402
from sky.ceremony.v1 import ceremony_pb2_grpc as rpc  # noqa: E402

anchors, key, certificate = (pathlib.Path(name).read_bytes() for name in sys.argv[2:5])
channel = grpc.secure_channel(sys.argv[5], grpc.ssl_channel_credentials(anchors, key, certificate))
try:
    status = rpc.CeremonyServiceStub(channel).Status(pb.StatusRequest(), timeout=5).status
    print(f"accepted: state {status.state}, threshold {status.threshold} of {status.total}")
except grpc.RpcError as error:
    print(f"not accepted: {error.code().name} {error.details()}")
