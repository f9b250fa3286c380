"""The lab's load balancers carry real traffic: rules, weights, checks, draining, network ACLs."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dataplane_world import World, wait_for

from webstack_lab.dataplane.authority import Authority
from webstack_lab.testing import Lab


@pytest.fixture(scope="module")
def running() -> Iterator[Lab]:
    with Lab(data_plane=True) as lab:
        yield lab


@pytest.fixture
def lab(running: Lab) -> Lab:
    running.reset()
    running.clear_calls()
    return running


@pytest.fixture
def world(lab: Lab) -> World:
    return World(lab)


def test_requests_reach_every_instance_and_each_says_who_it_is(world: World) -> None:
    served = world.served_by(30)
    assert set(served) == world.healthy() and set(served.values()) == {10}
    status, headers = world.get("/")
    assert status == 200
    zones = {one["InstanceId"]: one["AvailabilityZone"] for one in world.instances()}
    assert headers["x-availability-zone"] == zones[headers["x-instance-id"]]
    assert headers["x-release"] == "A"


def test_deregistering_under_load_fails_no_request(world: World) -> None:
    leaving = sorted(world.healthy())[0]
    with world.load(clients=4, path="/slow?ms=100") as seen:
        wait_for(lambda: len(seen.answers) == 3, "all three serve")
        world.elb.deregister_targets(TargetGroupArn=world.pool, Targets=[{"Id": leaving}])
        assert world.states()[leaving]["State"] == "draining"
        wait_for(lambda: leaving not in world.states(), "drained")
        before = seen.answers[leaving]
        time.sleep(0.4)
        assert seen.answers[leaving] == before, "a target that has left gets no request"
    assert seen.failures == [] and seen.total > 20


def test_a_delay_of_zero_cuts_the_requests_under_way(world: World) -> None:
    """The negative control: without draining users see errors (trap 64)."""
    world.set_delay(0)
    leaving = sorted(world.healthy())[0]
    with world.load(clients=6, path="/slow?ms=400") as seen:
        wait_for(lambda: len(seen.answers) == 3, "all three serve")
        time.sleep(0.2)  # the requests are in step; now they are half way
        world.elb.deregister_targets(TargetGroupArn=world.pool, Targets=[{"Id": leaving}])
        wait_for(lambda: seen.failures, "a request that was cut")
    assert 1 <= len(seen.failures) <= 6


def test_a_target_stays_draining_while_a_request_is_under_way(world: World) -> None:
    with world.load(clients=1, path="/slow?ms=1500") as seen:
        time.sleep(0.3)
        for target in world.healthy():
            world.elb.deregister_targets(TargetGroupArn=world.pool, Targets=[{"Id": target}])
        time.sleep(0.5)  # far longer than the delay on the lab's clock
        assert [one["State"] for one in world.states().values()] == ["draining"]
        wait_for(lambda: not world.states(), "all drained")
    assert seen.answers.total() >= 1


def test_registering_again_brings_a_target_back_by_a_passed_check(world: World) -> None:
    target = sorted(world.healthy())[0]
    world.elb.deregister_targets(TargetGroupArn=world.pool, Targets=[{"Id": target}])
    wait_for(lambda: target not in world.states(), "gone")
    assert target not in world.served_by(20)
    world.elb.register_targets(TargetGroupArn=world.pool, Targets=[{"Id": target}])
    assert world.states()[target]["State"] == "initial"
    wait_for(lambda: target in world.healthy(), "healthy")
    assert target in world.served_by(20)


def test_a_closed_network_acl_stops_a_zone_and_its_undoing_brings_it_back(world: World) -> None:
    world.asg.suspend_processes(AutoScalingGroupName="web", ScalingProcesses=["ReplaceUnhealthy"])
    subnet = world.subnets["us-east-1a"]
    there = {one["InstanceId"] for one in world.instances() if one["AvailabilityZone"] == "us-east-1a"}
    closed = world.ec2.create_network_acl(VpcId=world.vpc)["NetworkAcl"]["NetworkAclId"]
    kept = http.client.HTTPConnection(world.row(next(iter(there)))["address"], 8080, timeout=0.5)
    kept.request("GET", "/")
    assert kept.getresponse().read()

    def associate(acl: str) -> str:
        acls = world.ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])
        one = next(one for one in acls["NetworkAcls"][0]["Associations"] if one["SubnetId"] == subnet)
        world.ec2.replace_network_acl_association(AssociationId=one["NetworkAclAssociationId"], NetworkAclId=acl)
        return str(one["NetworkAclId"])

    node = next(address for address in world_nodes(world) if address != world.address)
    original = associate(closed)
    time.sleep(0.2)
    with pytest.raises(OSError):  # what is connected is cut too, as packets are
        kept.request("GET", "/")
        kept.getresponse()
    with pytest.raises(OSError):  # the balancer's own node in that subnet
        world.get("/", timeout=0.5)
    wait_for(lambda: not there & world.healthy(), "the targets of the zone are unhealthy")
    assert all(world.states()[one]["Reason"] == "Target.Timeout" for one in there)
    assert not there & {world.get("/", address=node)[1]["x-instance-id"] for _ in range(20)}
    undone = time.monotonic()
    associate(original)
    wait_for(lambda: there <= world.healthy(), "healthy again")
    assert world.get("/")[0] == 200
    assert there & set(world.served_by(20))
    assert time.monotonic() - undone < 2.0


def world_nodes(world: World) -> list[str]:
    assert world.lab.app.plane is not None
    return world.lab.app.plane.addresses()[world.balancer["DNSName"]]


def test_a_closed_security_group_stops_new_connections_and_keeps_those_that_are(world: World) -> None:
    world.asg.suspend_processes(AutoScalingGroupName="web", ScalingProcesses=["ReplaceUnhealthy"])
    address = world.row(sorted(world.healthy())[0])["address"]
    kept = http.client.HTTPConnection(address, 8080, timeout=1)
    kept.request("GET", "/")
    kept.getresponse().read()
    rule = {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "UserIdGroupPairs": [{"GroupId": world.front}]}
    world.ec2.revoke_security_group_ingress(GroupId=world.back, IpPermissions=[rule])
    time.sleep(0.2)
    kept.request("GET", "/")
    assert kept.getresponse().status == 200
    with pytest.raises(OSError):
        fresh = http.client.HTTPConnection(address, 8080, timeout=0.5)
        fresh.request("GET", "/")
        fresh.getresponse()
    wait_for(lambda: not world.healthy(), "all unhealthy")
    world.ec2.authorize_security_group_ingress(GroupId=world.back, IpPermissions=[rule])
    wait_for(lambda: len(world.healthy()) == 3, "healthy again", 5)


def test_weights_share_the_requests_out(lab: Lab) -> None:
    world = World(lab, size=2)
    ids = sorted(world.healthy())
    other = world.target_group("other", 0)
    world.elb.register_targets(TargetGroupArn=other, Targets=[{"Id": ids[1]}])
    world.elb.deregister_targets(TargetGroupArn=world.pool, Targets=[{"Id": ids[1]}])

    def share(first: int, second: int) -> dict[str, int]:
        groups = [{"TargetGroupArn": world.pool, "Weight": first}, {"TargetGroupArn": other, "Weight": second}]
        action = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
        world.elb.modify_listener(ListenerArn=world.listener, DefaultActions=[action])
        wait_for(lambda: world.healthy(other) and world.healthy(), "both groups healthy")
        time.sleep(0.3)
        return dict(world.served_by(200))

    shares = share(90, 10)
    assert 160 <= shares[ids[0]] <= 195 and shares[ids[0]] + shares[ids[1]] == 200
    assert share(0, 100) == {ids[1]: 200}


def rule(world: World, priority: int, conditions: list[dict[str, Any]], action: dict[str, Any]) -> None:
    world.elb.create_rule(ListenerArn=world.listener, Priority=priority, Conditions=conditions, Actions=[action])


def fixed(body: str) -> dict[str, Any]:
    config = {"StatusCode": "418", "ContentType": "text/plain", "MessageBody": body}
    return {"Type": "fixed-response", "FixedResponseConfig": config}


def test_rules_decide_in_the_order_of_their_priorities(world: World) -> None:
    forward = {"Type": "forward", "TargetGroupArn": world.pool}
    redirect = {"Protocol": "HTTPS", "Port": "8443", "Path": "/new/#{path}", "StatusCode": "HTTP_301"}
    path = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/api/*", "/exact"]}}
    rule(world, 1, [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/api/open"]}}], forward)
    rule(world, 2, [path], fixed('it\'s "closed" for $5\nreally'))
    rule(world, 3, [{"Field": "host-header", "HostHeaderConfig": {"Values": ["*.Old.example"]}}],
         {"Type": "redirect", "RedirectConfig": redirect})  # fmt: skip
    rule(
        world, 4, [{"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["DELETE"]}}], fixed("method")
    )
    rule(world, 5, [{"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Debug", "Values": ["1"]}},
                    {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "a", "Value": "b?"}]}}],
         fixed("both"))  # fmt: skip
    rule(world, 6, [{"Field": "source-ip", "SourceIpConfig": {"Values": ["192.0.2.0/24"]}}], fixed("source"))
    both = {"X-Debug": "1"}
    wait_for(lambda: world.get("/?a=bc", **both)[1].get("body") == "both", "the last of the rules is in place")
    assert world.get("/exact")[0] == 418
    assert world.get("/api/open")[0] == 200
    status, answer = world.get("/api/other")
    assert (status, answer["body"]) == (418, 'it\'s "closed" for $5\nreally')
    assert world.get("/exactly")[0] == 200
    status, answer = world.get("/a/b?c=d", Host="www.old.example:8000")
    assert (status, answer["location"]) == (301, "https://www.old.example:8443/new/a/b?c=d")
    assert world.get("/a", Host="old.old.example")[1]["location"] == "https://old.old.example:8443/new/a"
    assert world.get("/?a=bcd", **both)[0] == 200
    assert world.get("/?a=bc")[0] == 200


def test_a_change_of_rules_loses_no_request(world: World) -> None:
    with world.load(clients=3, kept=True) as seen:
        for priority in range(1, 6):
            rule(world, priority, [{"Field": "path-pattern", "Values": [f"/{priority}"]}], fixed("x"))
            time.sleep(0.15)
        wait_for(lambda: world.get("/5")[0] == 418, "the last rule")
    assert seen.failures == [] and seen.total > 50


def test_a_tls_listener_has_a_certificate_of_the_labs_authority(world: World, tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path).certificate(["shop.example", "*.shop.example"])
    arn = world.lab.client("acm").import_certificate(
        Certificate=certificate.read_bytes().partition(b"-----END CERTIFICATE-----")[0]
        + b"-----END CERTIFICATE-----\n",
        PrivateKey=key.read_bytes(),
    )["CertificateArn"]
    world.elb.create_listener(
        LoadBalancerArn=world.balancer["LoadBalancerArn"],
        Protocol="HTTPS",
        Port=8443,
        Certificates=[{"CertificateArn": arn}],
        DefaultActions=[{"Type": "forward", "TargetGroupArn": world.pool}],
    )
    assert world.lab.folder is not None
    trust = ssl.create_default_context(cafile=str(world.lab.folder / "ca.pem"))

    def names() -> set[str]:
        with trust.wrap_socket(http_socket(world.address), server_hostname="www.shop.example") as connection:
            found = connection.getpeercert() or {}
            return {str(value) for _kind, value in found["subjectAltName"]}

    wait_for(lambda: listening(world.address, 8443), "the listener")
    assert names() == {"shop.example", "*.shop.example"}


def http_socket(address: str) -> Any:
    return socket.create_connection((address, 8443), timeout=5)


def listening(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True


def test_a_group_without_a_healthy_target_sends_to_all(world: World) -> None:
    """Fail-open: a drill must look at target health and not at answers alone (trap 66)."""
    world.asg.suspend_processes(AutoScalingGroupName="web", ScalingProcesses=["ReplaceUnhealthy"])
    world.elb.modify_target_group(TargetGroupArn=world.pool, HealthCheckPath="/health", Matcher={"HttpCode": "299"})
    wait_for(lambda: {one["State"] for one in world.states().values()} == {"unhealthy"}, "all unhealthy")
    assert {one["Reason"] for one in world.states().values()} == {"Target.ResponseCodeMismatch"}
    served = world.served_by(12)
    assert len(served) == 3 and "nobody" not in served


def test_api_calls_are_answered_while_the_plane_works(world: World) -> None:
    slowest, over = [0.0], threading.Event()

    def ask() -> None:
        while not over.is_set():
            started = time.monotonic()
            world.states()
            slowest[0] = max(slowest[0], time.monotonic() - started)

    thread = threading.Thread(target=ask)
    thread.start()
    world.asg.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=6)
    wait_for(lambda: len(world.healthy()) == 6, "six")
    over.set()
    thread.join()
    assert slowest[0] < 1.0


def test_a_network_load_balancer_carries_connections_to_an_application_load_balancer(world: World) -> None:
    network = world.elb.create_load_balancer(Name="net", Type="network", Subnets=list(world.subnets.values()))
    arn = network["LoadBalancers"][0]["LoadBalancerArn"]
    pool = world.elb.create_target_group(
        Name="net", TargetType="alb", Protocol="TCP", Port=8000, VpcId=world.vpc, HealthCheckProtocol="HTTP"
    )["TargetGroups"][0]["TargetGroupArn"]
    forward = {"Type": "forward", "TargetGroupArn": pool}
    world.elb.create_listener(LoadBalancerArn=arn, Protocol="TCP", Port=8000, DefaultActions=[forward])
    world.elb.register_targets(TargetGroupArn=pool, Targets=[{"Id": world.balancer["LoadBalancerArn"]}])
    wait_for(lambda: world.healthy(pool), "the target is healthy")
    assert world.lab.app.plane is not None
    address = world.lab.app.plane.addresses()[network["LoadBalancers"][0]["DNSName"]][0]
    assert world.get("/", address=address)[1]["x-instance-id"] in world.healthy()
