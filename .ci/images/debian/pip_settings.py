"""Prints the part of this machine's pip configuration that a container can use: indexes, proxy, trusted hosts."""

import configparser
import os
import pathlib
import urllib.request

# Paths of the machine (find-links, file: indexes, cert) mean nothing inside a container, so these settings alone are taken over.
SETTINGS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "default-timeout", "retries")


def configuration_files() -> list[pathlib.Path]:
    """In pip's order, the last one wins."""
    home = pathlib.Path.home()
    files = [pathlib.Path("/etc/pip.conf"), home / ".pip/pip.conf", home / ".config/pip/pip.conf"]
    if named := os.environ.get("PIP_CONFIG_FILE"):
        files.append(pathlib.Path(named))
    return files


def collect() -> dict[str, str]:
    """The indexes and the proxy that this machine uses, by the names of pip's settings."""
    found: dict[str, str] = {}
    if proxy := urllib.request.getproxies_environment().get("https"):
        found["proxy"] = proxy
    parser = configparser.RawConfigParser()
    parser.read(configuration_files())
    for section in ("global", "install", "download"):
        for name in SETTINGS:
            if parser.has_option(section, name):
                found[name] = parser.get(section, name)
    for name in SETTINGS:
        if value := os.environ.get("PIP_" + name.upper().replace("-", "_")):
            found[name] = value
    return found


def usable(name: str, value: str) -> str:
    """Without addresses that only this machine has; lists stay lists."""
    words = value.split()
    if name.endswith("index-url"):
        words = [word for word in words if word.startswith(("http://", "https://"))]
    return " ".join(words)


if __name__ == "__main__":
    print("[global]")
    for name, value in collect().items():
        if kept := usable(name, value):
            print(f"{name} = {kept}")
