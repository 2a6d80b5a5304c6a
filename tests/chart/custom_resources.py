"""What the types of KEDA and the Prometheus Operator make of resources: reads manifests, writes what they keep, as YAML.

Runs in the environment of `make chart`. A field that a type does not know, or has of another kind, is an error or is gone.
"""

import sys

import yaml
from cloudcoil.models.keda.v1alpha1 import ScaledObject, TriggerAuthentication
from cloudcoil.models.prometheus_operator.v1 import PrometheusRule, ServiceMonitor

TYPES = {kind.__name__: kind for kind in (ScaledObject, TriggerAuthentication, PrometheusRule, ServiceMonitor)}


def main() -> None:
    """From standard input to standard output, in their order."""
    kept = [
        TYPES[manifest["kind"]].model_validate(manifest).model_dump(mode="json", by_alias=True, exclude_unset=True)
        for manifest in yaml.safe_load_all(sys.stdin)
    ]
    yaml.safe_dump_all(kept, sys.stdout)


if __name__ == "__main__":
    main()
