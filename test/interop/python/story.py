"""The acceptance story of shared/protocols/oracle.md, told by gRPC's own C++ core (BoringSSL) with a client's files.

Arguments: directory of the compiled protocol, directory of the client's files, then the SERVICE addresses.
"""

import concurrent.futures
import itertools
import pathlib
import sys

import grpc

sys.path.insert(0, sys.argv[1])
from com.hellblazer.delphi.v1 import oracle_pb2 as pb  # noqa: E402
from com.hellblazer.delphi.v1 import oracle_pb2_grpc as rpc  # noqa: E402

files = pathlib.Path(sys.argv[2])
tls = grpc.ssl_channel_credentials(
    (files / "ca.pem").read_bytes(),
    (files / "client-key.pem").read_bytes(),
    (files / "client.pem").read_bytes(),
)
stubs = [rpc.Oracle_Stub(grpc.secure_channel(address, tls)) for address in sys.argv[3:]]
turns = itertools.cycle(stubs)

ORG = pb.Namespace_(name="python-org")
MEMBER = pb.Relation_(namespace=ORG, name="member")
FLAG = pb.Relation_(namespace=ORG, name="flag")
GROUPS = {"Users", "Admins", "HelpDesk", "Managers", "Technicians", "ABCTechnicians"}
FLAGGED = {"Egin", "Ali", "Gül", "Fuat"}
VIEW = pb.Object_(namespace=ORG, name="Document:123#View")


def subject(name, relation=None):
    if relation is None:
        relation = MEMBER if name in GROUPS else FLAG if name in FLAGGED else None
    return pb.Subject_(namespace=ORG, name=name, relation=relation)


FLAGGED_TECHNICIANS = subject("ABCTechnicians", FLAG)
MAPS = [
    tuple(subject(name) for name in edge.split(">"))
    for edge in (
        "HelpDesk>Admins Ali>Admins Ali>Users Burcu>Users Can>Users Managers>Users Technicians>Users Demet>HelpDesk "
        "Egin>HelpDesk Egin>Users Fuat>Managers Gül>Managers Hakan>Technicians Irmak>Technicians "
        "ABCTechnicians>Technicians"
    ).split()
] + [(FLAGGED_TECHNICIANS, subject("Technicians")), (subject("Jale"), subject("ABCTechnicians"))]

newest = 0


def write(method, request):
    global newest
    reply = getattr(next(turns), method)(request, timeout=30)
    newest = max(newest, reply.ts)


def expect(what, found, expected):
    if found != expected:
        raise SystemExit(f"{what}: expected {expected}, found {found}")


def judge(**expected):
    for name, result in expected.items():
        question = pb.AssertionAt(ts=newest, assertion=pb.Assertion_(subject=subject(name), object=VIEW))
        expect(f"{name} at {newest}", next(turns).check(question, timeout=10).result, result)


def flagged(subjects):
    return sum(1 for one in subjects if one.relation.name == "flag")


write("addNamespace", ORG)
write("addRelation", MEMBER)
write("addRelation", FLAG)
with concurrent.futures.ThreadPoolExecutor(len(MAPS)) as pool:
    list(pool.map(lambda edge: write("mapSubject", pb.SubjectMap(parent=edge[0], child=edge[1])), MAPS))

write("addAssertion", pb.Assertion_(subject=subject("Users"), object=VIEW))
write("addAssertion", pb.Assertion_(subject=FLAGGED_TECHNICIANS, object=VIEW))
direct = next(turns).readSubjects(pb.Objects(objects=[VIEW]), timeout=10).subjects
everybody = next(turns).expandSubject(VIEW, timeout=10).subjects
expect("subjects of the expansion", len(everybody), 14)
expect("flagged subjects of the expansion", flagged(everybody), 5)
judge(Jale=True, Egin=True, HelpDesk=False, Demet=False)
write("unmapSubject", pb.SubjectMap(parent=subject("ABCTechnicians"), child=subject("Technicians")))
judge(Jale=False, Egin=True)
write("deleteAssertion", pb.Assertion_(subject=subject("Users"), object=VIEW))
judge(Jale=False, Egin=False)
write("deleteNamespace", ORG)

try:
    next(turns).addNamespace(pb.Namespace_(name="sky"), timeout=10)
    raise SystemExit("the policy's namespace could be written")
except grpc.RpcError as error:
    code = dict(error.trailing_metadata()).get("sky-code", "")
    print(f"refused as it should be: {error.code().name} {code}")
print(f"the story is told at {', '.join(sys.argv[3:])} (height {newest})")
