"""Runs the replay for the scenarios of contract.txt and judges its result.

A line of contract.txt is a scenario that has to pass whole. A line
"scenario: check" below it names a check that differs on purpose; docs/keycloak.md
says why. Everything else that fails is a failure.
"""
import json
import subprocess
import sys


def read(path):
    wanted, differs = [], {}
    for line in open(path, encoding="utf-8"):
        line = line.split("#")[0].strip()
        if not line:
            continue
        scenario, _, check = line.partition(": ")
        if check:
            differs.setdefault(scenario, set()).add(check)
        else:
            wanted.append(scenario)
    return wanted, differs


def main():
    replay, base, admin, contract, result = sys.argv[1:]
    wanted, differs = read(contract)
    run = subprocess.run([sys.executable, replay, "check", "--base", base, "--admin", admin, "--only", ",".join(wanted), "--jobs", "2", "--json", result],
                         stdout=subprocess.PIPE, text=True)
    report = json.load(open(result, encoding="utf-8"))
    failed = failures(report)
    failed += [(name, "not played") for name in wanted if name not in report["scenarios"]]
    bad = [(s, c) for s, c in failed if c not in differs.get(s, ())]
    fixed = [(s, c) for s, checks in differs.items() for c in checks if (s, c) not in failed]
    for scenario, check in bad:
        print("FAIL %s: %s" % (scenario, check))
    for scenario, check in fixed:
        print("FAIL %s: %s passes now, take it out of contract.txt" % (scenario, check))
    if bad or fixed:
        print(run.stdout)
        sys.exit(1)
    print("%d scenarios, %d differences on purpose" % (len(wanted), len(failed)))


def failures(result):
    """(scenario, check) of every failed check; "stopped" for a scenario that could not go on."""
    out = []
    for name, scenario in result["scenarios"].items():
        out += [(name, label) for label, check in scenario["checks"].items() if check["hard"]]
        if scenario["stopped"]:
            out.append((name, "stopped"))
    return out


main()
