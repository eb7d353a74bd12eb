"""test_fuzzed_api.py HEADER TARGET - every function of the public header is called by the fuzz
target of the public interface."""
import re
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    declared = set(re.findall(r"SWWAE_API[^;(]*?\b(swwae_\w+)\(", file.read()))
with open(sys.argv[2], encoding="utf-8") as file:
    called = set(re.findall(r"\b(swwae_\w+)\(", file.read()))
missing = sorted(declared - called)
print(f"{len(declared)} functions; not called: {', '.join(missing) or 'none'}")
sys.exit(bool(missing) or len(declared) < 40)
