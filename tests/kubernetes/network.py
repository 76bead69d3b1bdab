"""Who may connect to whom, as the NetworkPolicies say, compared with who should."""
import ipaddress

ROLES = ["api", "webhook", "worker", "migrate"]
DNS_BY_UDP = "53/UDP"
LABELS = ["ingress", "client", "monitoring", "database"]


class Peer:
    """A pod in a namespace, or an address outside the cluster."""

    def __init__(self, name, namespace=None, pod=None, address=None):
        self.name, self.namespace, self.pod, self.address = name, namespace or {}, pod or {}, address


def pod_of(role, namespace="aftercall"):
    labels = {"app.kubernetes.io/name": "aftercall", "app.kubernetes.io/component": role}
    return Peer(role, {"kubernetes.io/metadata.name": namespace}, labels)


def others():
    """The peers that the policies tell apart, and some that nothing should tell from the rest."""
    dns = Peer("dns", {"kubernetes.io/metadata.name": "kube-system"}, {"k8s-app": "kube-dns"})
    labelled = [Peer(label, {f"aftercall/{label}": "true"}) for label in LABELS]
    addresses = {
        "public": "203.0.113.7",
        "public 6": "2001:db8::7",
        "private": "10.1.2.3",
        "private 6": "fd00::1",
        "cloud metadata": "169.254.169.254",
        "loopback": "127.0.0.1",
    }
    impostor = pod_of("api", "elsewhere")
    impostor.name = "a pod elsewhere with our labels"
    outside = [Peer(name, address=ipaddress.ip_address(text)) for name, text in addresses.items()]
    return [dns, Peer("another namespace", {"kubernetes.io/metadata.name": "default"}), impostor, *labelled, *outside]


def tried(ports):
    """All ports that a policy means, and some that none does."""
    return {53, DNS_BY_UDP, 80, 443, 4318, 5432, 8443, *ports.values()}


def expected(ports):
    """Every connection that is needed: (from, to, port); TCP unless the port says otherwise."""
    wanted = {(peer, "api", ports["api"]) for peer in ["ingress", "client"]}
    wanted.add(("ingress", "webhook", ports["webhook"]))
    for role in ROLES:
        wanted |= {(role, "dns", 53), (role, "dns", DNS_BY_UDP), (role, "database", 5432), (role, "private", 5432)}
    for role in ["api", "webhook", "worker"]:
        wanted |= {("monitoring", role, ports["ops"]), (role, "monitoring", 4318)}
        wanted |= {(role, "public", 443), (role, "public 6", 443)}
    # Endpoints of callers may be anywhere, also on this cluster behind its ingress controller.
    for role in ["api", "worker"]:
        for port in tried(ports) - {DNS_BY_UDP}:
            wanted |= {(role, peer, port) for peer in ["public", "public 6", "ingress"]}
    return wanted


def allowed(policies, ports):
    """The same, as the policies have it; between pods of ours, those of both have to allow it."""
    ours, found = [pod_of(role) for role in ROLES], set()
    for port in tried(ports):
        for pod in ours:
            for other in others():
                if passes(policies, "Ingress", pod, other, port):
                    found.add((other.name, pod.name, port))
                if passes(policies, "Egress", pod, other, port):
                    found.add((pod.name, other.name, port))
            for other in ours:
                if passes(policies, "Egress", pod, other, port) and passes(policies, "Ingress", other, pod, port):
                    found.add((pod.name, other.name, port))
    return found


def passes(policies, direction, pod, other, port):
    """Whether the policies of `pod` let it receive from `other` (Ingress) or connect to it (Egress)."""
    own = [policy["spec"] for policy in policies if matches(policy["spec"]["podSelector"], pod.pod)]
    of_direction = [spec for spec in own if direction in spec["policyTypes"]]
    if not of_direction:
        return True
    key, side = ("ingress", "from") if direction == "Ingress" else ("egress", "to")
    return any(
        (side not in rule or any(is_peer(peer, other) for peer in rule[side])) and has_port(rule, port)
        for spec in of_direction
        for rule in spec.get(key, [])
    )


def is_peer(peer, other):
    if block := peer.get("ipBlock"):
        # Pods are not taken for addresses: network plugins differ in that.
        if other.address is None or other.address.version != ipaddress.ip_network(block["cidr"]).version:
            return False
        inside = other.address in ipaddress.ip_network(block["cidr"])
        return inside and not any(other.address in ipaddress.ip_network(net) for net in block.get("except", []))
    if other.address is not None:
        return False
    if "namespaceSelector" in peer:
        in_namespace = matches(peer["namespaceSelector"], other.namespace)
    else:
        in_namespace = other.namespace.get("kubernetes.io/metadata.name") == "aftercall"
    return in_namespace and matches(peer.get("podSelector", {}), other.pod)


def has_port(rule, port):
    if "ports" not in rule:
        return True
    number, _, protocol = str(port).partition("/")
    return any(
        entry["port"] <= int(number) <= entry.get("endPort", entry["port"])
        for entry in rule["ports"]
        if entry["protocol"] == (protocol or "TCP")
    )


def matches(selector, labels):
    for expression in selector.get("matchExpressions", []):
        if expression["operator"] != "In":
            raise ValueError(f"network.py does not know the operator {expression['operator']}")
        if labels.get(expression["key"]) not in expression["values"]:
            return False
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def faults(policies, ports):
    wanted, found = expected(ports), allowed(policies, ports)
    for policy in policies:
        types, spec = policy["spec"]["policyTypes"], policy["spec"]
        for direction, key in [("Ingress", "ingress"), ("Egress", "egress")]:
            if key in spec and direction not in types:
                yield f"NetworkPolicy {policy['metadata']['name']}: {key} without {direction} in policyTypes"
    for source, target, port in sorted(found - wanted, key=str):
        yield f"NetworkPolicies let {source} connect to {target}:{port}"
    for source, target, port in sorted(wanted - found, key=str):
        yield f"NetworkPolicies keep {source} from {target}:{port}"
