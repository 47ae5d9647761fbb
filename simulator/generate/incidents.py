"""The generator's incidents: what a detection should find. Each begins at a share of the stretch and takes minutes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from quayledger.simulator.clock import SECOND_US
from quayledger.simulator.generate.stage import HOUR_US, MINUTE_US, Stage, uuid_of
from quayledger.simulator.generate.world import BROWSER, DOCKER, Person

ATTACKER = "203.0.113.66"
SPRAYER = "198.51.100.23"
STUFFER = "192.0.2.145"
WRONG = "Invalid Username or Password"
# what the rows tell that nobody should keep
PASSWORD, TOKEN = "c0rrect-Horse!battery7Staple", "qXb7Zr0LwPq4VtY2nKd8"
HOOK_TOKEN, PROXY_PASSWORD = "9f3kQz7LmW2xVb8TtRy5", "s3cr3t-Pr0xy"
SPOKEN = (PASSWORD, TOKEN, HOOK_TOKEN, PROXY_PASSWORD)
Incident = Callable[[Stage, int], None]


def _failure(stage: Stage, at_us: int, username: str, ip: str, **more: Any) -> None:
    """A login_failure: in the user's namespace where there is such a user, else in the installation's."""
    account = stage.world.registry.account(username) or stage.world.admin.account
    metadata = {"type": "quayauth", "kind": "user", "useragent": "python-requests/2.31.0", "username": username}
    stage.add(at_us, "login_failure", account, metadata | {"message": WRONG} | more, ip=ip)


def brute_force(stage: Stage, at_us: int) -> None:
    """46 wrong passwords for one user from one address, then the right one; a robot and an application token follow;
    that token pulls everything it can reach, and tags are deleted."""
    victim = stage.world.people[3]
    for n in range(46):
        _failure(stage, at_us + n * 48 * SECOND_US, victim.account.name, ATTACKER)
    inside_us = at_us + 41 * MINUTE_US
    stage.add(inside_us, "login_success", victim.account, {"type": "quayauth", "useragent": BROWSER}, ip=ATTACKER)
    _persist(stage, inside_us + 6 * MINUTE_US, victim)
    _mass_pull(stage, inside_us + 30 * MINUTE_US, victim)
    _mass_deletion(stage, inside_us + 2 * HOUR_US, victim)


def _persist(stage: Stage, at_us: int, victim: Person) -> None:
    robot = {"robot": "backup-agent", "description": "", "unstructured_metadata": {}}
    token = {"app_specific_token_title": "backup", "app_specific_token": uuid_of(stage.rng)}
    for kind, metadata in (("create_robot", robot), ("create_app_specific_token", token)):
        stage.add(at_us, kind, victim.account, metadata, by=victim.account, ip=ATTACKER)
        at_us += 90 * SECOND_US


def _mass_pull(stage: Stage, at_us: int, victim: Person) -> None:
    """Every repository there is, within minutes."""
    for organisation in stage.world.organisations:
        for place in organisation.places:
            stage.transfer(
                at_us, "pull_repo", place, "latest", "skopeo/1.14.0", ATTACKER, by=victim.account, country="BR"
            )
            at_us += 13 * SECOND_US


def _mass_deletion(stage: Stage, at_us: int, victim: Person) -> None:
    place = stage.world.organisations[1].places[0]
    for n in range(14):
        metadata = {
            "username": victim.account.name,
            "repo": place.repository.name,
            "namespace": place.account.name,
            "tag": f"v0.{n}.0",
        }
        stage.add(
            at_us + n * 70 * SECOND_US,
            "delete_tag",
            place.account,
            metadata,
            by=victim.account,
            place=place,
            ip=ATTACKER,
        )


def password_spray(stage: Stage, at_us: int) -> None:
    """One address tries a password or two on each of twelve users."""
    for n, person in enumerate(stage.world.people[4:16]):
        for attempt in range(2):
            _failure(stage, at_us + (n * 2 + attempt) * 95 * SECOND_US, person.account.name, SPRAYER)


def stuffing(stage: Stage, at_us: int) -> None:
    """Leaked pairs, most of them of nobody here."""
    for n in range(34):
        _failure(stage, at_us + n * 20 * SECOND_US, f"user{n * 37 % 29:02}", STUFFER)


def slips(stage: Stage, at_us: int) -> None:
    """A password typed as a username, an access token that has expired, a robot whose secret was rotated."""
    who = stage.world.people[5]
    _failure(stage, at_us, PASSWORD, who.ip, useragent=BROWSER)
    expired = {"kind": "oauth", "token": TOKEN, "application_name": "audit-pipeline"}
    robot = stage.world.organisations[1].ci
    for n in range(9):
        moment = at_us + n * 20 * MINUTE_US
        _failure(stage, moment, who.account.name, "10.30.1.3", message="OAuth access token has expired", **expired)
        metadata = {"type": "quayauth", "kind": "robot", "useragent": DOCKER.format("20.10.7"), "robot": robot.name}
        metadata |= {"username": robot.name, "message": f"Could not find robot with username: {robot.name}"}
        stage.add(
            moment + 5 * SECOND_US, "login_failure", stage.world.organisations[1].account, metadata, ip="10.30.1.7"
        )


def new_country(stage: Stage, at_us: int) -> None:
    """A known user pulls from a country that was never seen with them, minutes after a pull from home."""
    who = stage.world.people[6]
    place = stage.world.organisations[0].places[1]
    stage.transfer(at_us, "pull_repo", place, "latest", who.client, who.ip, by=who.account, country=who.country)
    abroad = at_us + 12 * MINUTE_US
    for n in range(3):
        stage.transfer(
            abroad + n * MINUTE_US,
            "pull_repo",
            place,
            "latest",
            who.client,
            "203.0.113.9",
            by=who.account,
            country="JP",
        )


def strange_client(stage: Stage, at_us: int) -> None:
    """A CI robot's secret is used by hand."""
    organisation = stage.world.organisations[0]
    for place in organisation.places[:4]:
        stage.transfer(at_us, "pull_repo", place, "latest", "curl/8.5.0", "203.0.113.80", by=organisation.ci)
        at_us += 40 * SECOND_US


def overwritten_release(stage: Stage, at_us: int) -> None:
    """A person pushes over a version tag that the CI robot had pushed."""
    place = stage.world.organisations[1].places[0]
    tag = place.releases[0]
    organisation, who = stage.world.organisations[1], stage.world.people[7]
    ip = f"{organisation.cluster}.4"
    stage.transfer(at_us - 20 * HOUR_US, "push_repo", place, tag, organisation.client, ip, by=organisation.ci)
    stage.transfer(at_us, "push_repo", place, tag, who.client, who.ip, by=who.account, country=who.country)


def made_public(stage: Stage, at_us: int) -> None:
    """A private repository becomes public, and strangers find it."""
    organisation = stage.world.organisations[3]
    place, who = organisation.places[3], organisation.owner or stage.world.people[3]
    metadata = {"repo": place.repository.name, "namespace": place.account.name, "visibility": "public"}
    stage.act(at_us, "change_repo_visibility", who, place.account, metadata, place=place)
    for n in range(4):
        stage.transfer(
            at_us + (n + 1) * 7 * MINUTE_US, "pull_repo", place, "latest", "skopeo/1.14.0", f"198.18.77.{n + 3}"
        )


def self_granted_admin(stage: Stage, at_us: int) -> None:
    """Someone adds themselves to the owners, gives their team the admin role, and a robot write access."""
    organisation, who = stage.world.organisations[4], stage.world.people[9]
    account, name = organisation.account, who.account.name
    place = organisation.places[0]
    repo = {"repo": place.repository.name, "namespace": account.name}
    stage.act(at_us, "org_add_team_member", who, account, {"member": name, "team": "owners"})
    stage.act(at_us + MINUTE_US, "org_set_team_role", who, account, {"team": "developers", "role": "admin"})
    grant = {"username": name, "role": "admin", **repo}
    stage.act(at_us + 2 * MINUTE_US, "change_repo_permission", who, account, grant, place=place)


def takeover(stage: Stage, at_us: int) -> None:
    """The superuser takes an organisation over, and changes a user's password and address."""
    admin, victim = stage.world.admin, stage.world.people[10]
    target = stage.world.organisations[5].account
    superuser = admin.account.name
    metadata = {"entity_id": target.id, "namespace": target.name, "was_user": False, "superuser": superuser}
    stage.act(at_us, "take_ownership", admin, target, metadata)
    named = {"username": victim.account.name, "superuser": superuser}
    stage.act(at_us + 9 * MINUTE_US, "user_change_password", admin, victim.account, named)
    address = {"old_email": victim.account.email, "email": "someone@elsewhere.example", "superuser": superuser}
    stage.act(at_us + 10 * MINUTE_US, "user_change_email", admin, victim.account, address)


def guards_removed(stage: Stage, at_us: int) -> None:
    """Immutability off, the quota gone, the webhook gone."""
    organisation = stage.world.organisations[1]
    account, place = organisation.account, organisation.places[0]
    who = organisation.owner or stage.world.people[0]
    repo = {"repo": place.repository.name, "namespace": account.name}
    policy = {"namespace": account.name, "policy_uuid": uuid_of(stage.rng)}
    tag = {"username": who.account.name, **repo, "tag": place.releases[0], "immutable": False}
    quota = {"namespace": account.name, "quota_id": 1, "limit_bytes": 10737418240, "limit": "10.0 GiB"}
    hook = {**repo, "notification_id": uuid_of(stage.rng), "event": "repo_push", "method": "webhook"}
    stage.act(at_us, "delete_immutability_policy", who, account, policy)
    stage.act(
        at_us + MINUTE_US, "change_tag_immutability", who, account, tag | {"previous_immutable": True}, place=place
    )
    stage.act(at_us + 2 * MINUTE_US, "org_delete_quota", who, account, quota)
    stage.act(at_us + 3 * MINUTE_US, "delete_repo_notification", who, account, hook, place=place)


def ways_out(stage: Stage, at_us: int) -> None:
    """A trigger with a webhook token, a mirror behind a proxy with a password, a webhook to a stranger, an export."""
    organisation = stage.world.organisations[3]
    account, place = organisation.account, organisation.places[1]
    who = organisation.owner or stage.world.people[3]
    repo = {"repo": place.repository.name, "namespace": account.name}
    trigger = uuid_of(stage.rng)
    hook = f"http://$token:{HOOK_TOKEN}@quay.example/webhooks/push/trigger/{trigger}"
    credentials = [
        {"name": "SSH Public Key", "value": "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ"},
        {"name": "Webhook Endpoint URL", "value": hook},
    ]
    config = {
        "build_source": "https://git.example.com/analytics/etl.git",
        "context": "/",
        "dockerfile_path": "/Dockerfile",
        "credentials": credentials,
    }
    set_up = {**repo, "trigger_id": trigger, "service": "custom-git", "pull_robot": None, "config": config}
    stage.act(at_us, "setup_repo_trigger", who, account, set_up, place=place)
    proxy = f"http://mirror:{PROXY_PASSWORD}@proxy.internal.example:3128"
    for n, changed in enumerate(("http_proxy", "https_proxy", "external_reference")):
        value = proxy if "proxy" in changed else "registry.elsewhere.example/copies/etl"
        metadata = {**repo, "user-agent": BROWSER, "changed": changed, "to": value, "username": who.account.name}
        moment = at_us + (n + 1) * MINUTE_US
        stage.act(moment, "repo_mirror_config_changed", who, account, metadata, place=place)
    notification = {**repo, "notification_id": uuid_of(stage.rng), "event": "repo_push", "method": "webhook"}
    stage.act(at_us + 5 * MINUTE_US, "add_repo_notification", who, account, notification, place=place)
    export = {"date/time": at_us // SECOND_US, "export_id": uuid_of(stage.rng), "message": "queued for export"}
    export |= {"url": "https://collect.elsewhere.example/drop?key=a1b2", "email": None, "repo": place.repository.name}
    stage.act(at_us + 9 * MINUTE_US, "export_logs_success", who, account, export)


# at which share of the stretch each begins; the first are kept where there is room for a few only
INCIDENTS: tuple[tuple[float, Incident], ...] = (
    (0.86, ways_out),
    (0.62, brute_force),
    (0.70, overwritten_release),
    (0.57, made_public),
    (0.45, self_granted_admin),
    (0.36, slips),
    (0.52, password_spray),
    (0.78, takeover),
    (0.74, guards_removed),
    (0.81, new_country),
    (0.66, strange_client),
    (0.90, stuffing),
)
