"""Checks the rendered manifests: Kubernetes's schemas, then whether they fit the service and each other.

Usage: check.py <aftercall binary> <folder with base.yaml and example.yaml>, in the root of the repository
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib

import kubernetes_validate
import yaml

import network

# The oldest version has PodDisruptionBudgets with unhealthyPodEvictionPolicy.
VERSIONS = ["1.27", kubernetes_validate.latest_version()]
FILES = pathlib.Path("config/kubernetes")
DEFAULTS = tomllib.loads(pathlib.Path("config/default.toml").read_text())
SCHEMA = json.loads(pathlib.Path("config/schema.json").read_text())
# After both shutdown settings: database connections (1 s), then traces (2 s).
LAST_WAITS = 3
OF_A_ROLE = ["Deployment", "Service", "PodDisruptionBudget", "HorizontalPodAutoscaler", "Ingress"]

binary, work = sys.argv[1], pathlib.Path(sys.argv[2])
faults = []


def name_of(document):
    return f"{document['kind']} {document['metadata']['name']}"


def check(holds, otherwise, document=None):
    if not holds:
        faults.append(f"{name_of(document)}: {otherwise}" if document else otherwise)


def documents(path):
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


everything = documents(work / "example.yaml")
secrets = documents(FILES / "example/secrets.yaml")


def of_kind(kind):
    return {document["metadata"]["name"]: document for document in everything if document["kind"] == kind}


def number(text):
    """Seconds of a duration, MiB of a size."""
    value, unit = re.fullmatch(r"(\d+)\s*(\w+)", text).groups()
    units = {"s": 1, "m": 60, "h": 3600, "KiB": 1 / 1024, "MiB": 1, "GiB": 1024, "Mi": 1, "Gi": 1024}
    return int(value) * units[unit]


def default(key):
    section, name = key.split(".")
    return DEFAULTS[section][name]


def port_of(role):
    return int(default(f"{role}.listen").rsplit(":", 1)[1])


ROLES = SCHEMA["properties"]["roles"]["items"]["enum"]
PORTS = {name: port_of(name) for name in ["api", "webhook", "ops"]}
deployments, jobs, config_maps = of_kind("Deployment"), of_kind("Job"), of_kind("ConfigMap")
workloads = [*deployments.values(), *jobs.values()]


def pod(workload):
    return workload["spec"]["template"]["spec"]


def container(workload):
    check(len(pod(workload)["containers"]) == 1, "another container", workload)
    return pod(workload)["containers"][0]


def labels(workload):
    return workload["spec"]["template"]["metadata"]["labels"]


def role_of(workload):
    return labels(workload)["app.kubernetes.io/component"]


def schemas():
    for document in [*documents(work / "base.yaml"), *everything, *secrets]:
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(document, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                where = ".".join(str(item) for item in error.path)
                check(False, f"{where or 'it'}: {error.message[:300]} (Kubernetes {version})", document)


def variables(workload):
    """The environment of the container; `None` for what Secrets contain."""
    found = {}
    for source in container(workload).get("envFrom", []):
        name = source["configMapRef"]["name"]
        check(name in config_maps, f"there is no ConfigMap {name}", workload)
        found |= config_maps.get(name, {}).get("data", {})
    for entry in container(workload).get("env", []):
        found[entry["name"]] = entry.get("value")
        if reference := entry.get("valueFrom"):
            has_key(workload, reference["secretKeyRef"]["name"], reference["secretKeyRef"]["key"])
    return found


def has_key(workload, name, key):
    has = any(secret["metadata"]["name"] == name and key in secret["stringData"] for secret in secrets)
    check(has, f"example/secrets.yaml has no {key} in {name}", workload)


def secret_files(workload):
    """The paths of the files of Secrets, with the Secret of each."""
    mounts = {mount["name"]: mount["mountPath"] for mount in container(workload)["volumeMounts"]}
    found = {}
    for volume in pod(workload)["volumes"]:
        for source in volume.get("projected", {}).get("sources", []):
            for item in source["secret"]["items"]:
                has_key(workload, source["secret"]["name"], item["key"])
                found[f"{mounts[volume['name']]}/{item['path']}"] = source["secret"]["name"]
    return found


def is_setting(name):
    """Whether the schema has the setting of AFTERCALL__SECTION__NAME, or of the same with _FILE."""
    node, path = SCHEMA, name.removeprefix("AFTERCALL__").lower().split("__")
    for part in path:
        node = node.get("properties", {}).get(part) or node.get("properties", {}).get(part.removesuffix("_file"))
        if node is None:
            return False
    return "properties" not in node


def settings():
    source = pathlib.Path("src/config/sources/mod.rs").read_text()
    others = re.search(r"const OTHERS: &\[&str\] = &\[(.*?)\]", source, re.DOTALL)
    for workload in workloads:
        given, files = variables(workload), secret_files(workload)
        for name in given:
            if name.startswith("AFTERCALL__"):
                check(is_setting(name), f"no setting is called {name}", workload)
            elif name.startswith("AFTERCALL_"):
                check(f'"{name}"' in others[1], f"the service does not know {name}", workload)
        read = {value for name, value in given.items() if name.endswith("_FILE")}
        check(read == set(files), f"reads the files {sorted(read)} and mounts {sorted(files)}", workload)
        printed(workload, given)


def printed(workload, given):
    """Has the service judge its environment, in which the files of Secrets are trial ones."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {name: value for name, value in given.items() if value is not None}
        for name, value in environment.items():
            if name.endswith("_FILE"):
                file = pathlib.Path(folder, pathlib.Path(value).name)
                file.write_text(f"trial:{'A' * 43}=")
                environment[name] = str(file)
        command = [binary, "config", "print"]
        result = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    check(result.returncode == 0, f"{result.stderr.strip()}", workload)
    lines = [line.split(maxsplit=2) for line in result.stdout.splitlines() if not line.startswith("#")]
    values = {line[0]: line[1] for line in lines if len(line) > 2}
    for name, port in PORTS.items():
        listen = values.get(f"{name}.listen", "")
        check(listen.endswith(f":{port}"), f"{name}.listen is {listen}", workload)
    for key in ["drain_delay", "timeout"]:
        value = values.get(f"shutdown.{key}", "0s")
        check(value == DEFAULTS["shutdown"][key], f"shutdown.{key} is {value}", workload)
    if workload["kind"] == "Deployment":
        check(values.get("roles") == role_of(workload), f"roles is {values.get('roles')}", workload)
        check(values.get("database.migrate") == "off", "database.migrate is not off", workload)


def roles():
    for role in ROLES:
        check(f"aftercall-{role}" in deployments, f"no Deployment is called aftercall-{role}")
    for name, workload in deployments.items():
        role = role_of(workload)
        check(name == f"aftercall-{role}" and role in ROLES, f"its component is {role}", workload)
        check("replicas" not in workload["spec"], f"{name}: `replicas` would undo its HorizontalPodAutoscaler")
    for document in everything:
        is_of_role = document["kind"] in OF_A_ROLE
        role = document["metadata"].get("labels", {}).get("app.kubernetes.io/component")
        wanted = document["metadata"]["name"].removeprefix("aftercall-") if is_of_role else role
        # By this label, docs/kubernetes.md applies what comes before the roles.
        check((role in ROLES) == is_of_role and role == wanted, f"its component is {role}", document)
    given = {role_of(workload): set(secret_files(workload).values()) for workload in workloads}
    for secret, who in {"aftercall-provider": {"worker"}, "aftercall-migrator": {"migrate"}}.items():
        having = {role for role, names in given.items() if secret in names}
        check(having == who, f"Secret {secret} is mounted by {sorted(having)}, not by {sorted(who)} alone")
    for secret in secrets:
        has_value = "data" in secret or any(secret["stringData"].values())
        check(not has_value, "example/secrets.yaml has a value", secret)
    check(not of_kind("Secret"), "a Secret is rendered: applying it would overwrite the real one")


def hardened():
    for workload in workloads:
        of_pod, security = pod(workload), container(workload)["securityContext"]
        wanted = {"runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532,
                  "seccompProfile": {"type": "RuntimeDefault"}}
        check(of_pod.get("securityContext") == wanted, "securityContext of the pod", workload)
        wanted = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
        check(security == wanted, "securityContext of the container", workload)
        check(of_pod.get("automountServiceAccountToken") is False, "has a token of its account", workload)
        check(of_pod.get("enableServiceLinks") is False, "variables of Services keep it from starting", workload)
        check(of_pod["serviceAccountName"] in of_kind("ServiceAccount"), "unknown ServiceAccount", workload)
    for name, account in of_kind("ServiceAccount").items():
        check(account.get("automountServiceAccountToken") is False, f"ServiceAccount {name}: has a token")


def metrics():
    documented = set(re.findall(r"^\| `(\w+)`", pathlib.Path("docs/metrics.md").read_text(), re.MULTILINE))
    rules = yaml.safe_load((FILES / "prometheus/adapter.yml").read_text())["externalRules"]
    made = {rule["name"]["as"] for rule in rules}
    for rule in rules:
        for name in re.findall(r"aftercall_\w+", rule["seriesQuery"] + rule["metricsQuery"]):
            check(name in documented, f"adapter.yml: docs/metrics.md has no {name}")
    used = {
        metric["external"]["metric"]["name"]
        for autoscaler in of_kind("HorizontalPodAutoscaler").values()
        for metric in autoscaler["spec"]["metrics"]
        if metric["type"] == "External"
    }
    check(used == made, f"HorizontalPodAutoscalers use {sorted(used)}, adapter.yml makes {sorted(made)}")
    query = lambda rule: rule["metricsQuery"].replace("<<.LabelMatchers>>", 'namespace="aftercall"')
    recorded = [{"record": rule["name"]["as"], "expr": query(rule)} for rule in rules]
    (work / "adapter-rules.yml").write_text(json.dumps({"groups": [{"name": "adapter", "rules": recorded}]}))


def scraped():
    """The job that the alarms know, of every pod's port `ops`. Debian's promtool does not know how to find pods."""
    config = yaml.safe_load((FILES / "prometheus/scrape.yml").read_text())
    [job] = config["scrape_configs"]
    [discovery] = job.pop("kubernetes_sd_configs")
    namespaces = discovery["namespaces"]["names"]
    check(namespaces == list(of_kind("Namespace")), f"scrape.yml looks for pods in {namespaces}")
    kept = {relabel["regex"] for relabel in job["relabel_configs"] if relabel.get("action") == "keep"}
    check(job["job_name"] == "aftercall" and kept == {"ops"}, f"scrape.yml: {job['job_name']} of the ports {kept}")
    (work / "scrape.yml").write_text(json.dumps(config))


def ports():
    for workload in deployments.values():
        found = {port["name"]: port["containerPort"] for port in container(workload)["ports"]}
        wanted = {name: port for name, port in PORTS.items() if name in (role_of(workload), "ops")}
        check(found == wanted, f"ports {found}, not {wanted}", workload)
    for service in of_kind("Service").values():
        for port in service["spec"]["ports"]:
            wanted = PORTS.get(port["name"])
            check(port["port"] == wanted and port["targetPort"] == port["name"], f"port {port}, not {wanted}", service)


def selectors():
    other_pods = "selects other pods than those of its name"

    def pods_of(selector):
        return [workload for workload in workloads if network.matches(selector, labels(workload))]

    for workload in deployments.values():
        check(pods_of(workload["spec"]["selector"]) == [workload], "its selector is not for its pods alone", workload)
        for spread in pod(workload)["topologySpreadConstraints"]:
            check(pods_of(spread["labelSelector"]) == [workload], "spreads other pods than its own", workload)
    for service in of_kind("Service").values():
        wanted = [deployments.get(service["metadata"]["name"])]
        check(pods_of({"matchLabels": service["spec"]["selector"]}) == wanted, other_pods, service)
    for kind in ["PodDisruptionBudget", "HorizontalPodAutoscaler"]:
        check(set(of_kind(kind)) == set(deployments), f"not every Deployment has a {kind} of its name")
    for budget in of_kind("PodDisruptionBudget").values():
        wanted = [deployments.get(budget["metadata"]["name"])]
        check(pods_of(budget["spec"]["selector"]) == wanted, other_pods, budget)
    for autoscaler in of_kind("HorizontalPodAutoscaler").values():
        target = autoscaler["spec"]["scaleTargetRef"]
        is_own = (target["kind"], target["name"]) == ("Deployment", autoscaler["metadata"]["name"])
        check(is_own, f"scales {target['kind']} {target['name']}", autoscaler)
        check(autoscaler["spec"]["minReplicas"] >= 2, "one pod is not enough while a node is drained", autoscaler)
    for policy in of_kind("NetworkPolicy").values():
        check(pods_of(policy["spec"]["podSelector"]), "selects no pods", policy)


def ingresses():
    """Each host leads to one Service, and that of the webhook to its routes and nothing else."""
    source = pathlib.Path("src/jobs/attempt_urls.rs").read_text()
    routes = {route.removesuffix("{token}") for route in re.findall(r'const ROUTE: &str = "(.*)"', source)}
    wanted = {"aftercall-webhook": routes, "aftercall-api": {"/"}}
    check(set(of_kind("Ingress")) == set(wanted), f"Ingresses {sorted(of_kind('Ingress'))}, not {sorted(wanted)}")
    for name, ingress in of_kind("Ingress").items():
        role = name.removeprefix("aftercall-")
        for rule in ingress["spec"]["rules"]:
            paths = {path["path"] for path in rule["http"]["paths"]}
            check(paths == wanted.get(name), f"has the paths {sorted(paths)}", ingress)
            for path in rule["http"]["paths"]:
                service = path["backend"]["service"]
                found = (service["name"], service["port"]["name"])
                check(found == (name, role), f"leads to {found}", ingress)
            url = variables(deployments["aftercall-api"]).get(f"AFTERCALL__{role.upper()}__PUBLIC_URL")
            is_same = url == f"https://{rule['host']}"
            check(is_same, f"its host is {rule['host']}, but {role}.public_url is {url}", ingress)


def probes():
    routes = re.findall(r'\.route\("(/\w+)"', pathlib.Path("src/http/ops.rs").read_text())
    for workload in deployments.values():
        for probe, path in {"livenessProbe": "/livez", "readinessProbe": "/readyz"}.items():
            asked = container(workload)[probe]["httpGet"]
            check(asked["path"] in routes, f"{probe} asks for {asked['path']}, which is no route", workload)
            check(asked == {"path": path, "port": "ops"}, f"{probe} asks for {asked}", workload)


def shutdown():
    needed = sum(number(DEFAULTS["shutdown"][key]) for key in ["drain_delay", "timeout"]) + LAST_WAITS
    for workload in deployments.values():
        given = pod(workload)["terminationGracePeriodSeconds"]
        check(given > needed, f"is killed after {given} s, although a shutdown may take {needed} s", workload)


def memory():
    """The terms of docs/deployment.md, "Memory", that each role has: any may parse a result."""
    mib = lambda key: number(default(key))
    deliveries = mib("ingest.memory") + mib("webhook.unproven_memory")
    base = 96 + 12 * mib("webhook.max_inflated") + default("ingest.max_values") / 1024
    connections = lambda role: default(f"{role}.max_connections") / 32
    needed = {
        "api": mib("api.memory") + 10 * default("media.max_transfers") + 128 + connections("api"),
        "webhook": deliveries + 2 * default("media.max_fetches") + connections("webhook"),
        "worker": 3 * default("dispatch.concurrency") * mib("api.max_body"),
    }
    for workload in deployments.values():
        role, limit = role_of(workload), number(container(workload)["resources"]["limits"]["memory"])
        check(limit >= base + needed[role], f"memory {limit} MiB, less than {base + needed[role]:.0f}", workload)
    spool = default("media.max_transfers") * mib("media.max_size")
    folders = {volume["name"]: volume for volume in pod(deployments["aftercall-api"])["volumes"]}
    given = number(folders["uploads"]["emptyDir"]["sizeLimit"])
    check(given >= spool, f"Deployment aftercall-api: {given} MiB for uploads, less than {spool}")


def networks():
    faults.extend(network.faults(of_kind("NetworkPolicy").values(), PORTS))


# Each relies on what those before it have checked.
PARTS = [schemas, roles, settings, hardened, metrics, scraped, ports, selectors, ingresses, probes, shutdown, memory]
for part in [*PARTS, networks]:
    part()
    if faults:
        sys.exit("\n".join(dict.fromkeys(faults)))
