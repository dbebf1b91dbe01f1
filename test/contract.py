"""Plays the recorded contract and judges the result by contract.txt.

A line of contract.txt is a scenario that has to pass whole. A line
"scenario: check" names a check that differs on purpose; docs/keycloak.md says
why. A line "waiting scenario" names one that a later version will pass: it is
played too, and when it passes it has to move up, from where it never goes back.
Every scenario there is stands in one of the two lists.
"""
import json
import subprocess
import sys


def read(path):
    wanted, waiting, differs = [], set(), {}
    for line in open(path, encoding="utf-8"):
        line = line.split("#")[0].strip()
        scenario, _, check = line.partition(": ")
        if check:
            differs.setdefault(scenario, set()).add(check)
        elif line.startswith("waiting "):
            waiting.add(line.split()[1])
        elif line:
            wanted.append(line)
    return wanted, waiting, differs


def main():
    replay, base, admin, contract, result = sys.argv[1:]
    wanted, waiting, differs = read(contract)
    run = subprocess.run([sys.executable, replay, "check", "--base", base, "--admin", admin, "--jobs", "2", "--json", result],
                         stdout=subprocess.PIPE, text=True)
    played = failures(json.load(open(result, encoding="utf-8")))
    complaints = judge(wanted, waiting, differs, played)
    for complaint in complaints:
        print("FAIL " + complaint)
    if complaints:
        print(run.stdout)
        sys.exit(1)
    print("%d scenarios pass, %d checks in them differ on purpose, %d wait" % (len(wanted), sum(len(c) for c in differs.values()), len(waiting)))


def judge(wanted, waiting, differs, played):
    """What is wrong with a result, as sentences."""
    out = []
    for name in wanted:
        out += ["%s: %s" % (name, check) for check in sorted(played.get(name, {"not played"}) - differs.get(name, set()))]
        out += ["%s: %s passes now, take it out of contract.txt" % (name, check) for check in sorted(differs.get(name, set()) - played.get(name, set()))]
    for name in sorted(waiting):
        if not played.get(name, {"not played"}) - differs.get(name, set()):
            out.append("%s passes now, it no longer waits" % name)
    out += ["%s stands twice" % name for name in sorted(waiting & set(wanted))]
    out += ["%s is in no list" % name for name in sorted(set(played) - waiting - set(wanted))]
    return out


def failures(result):
    """scenario -> its failed checks; "stopped" for one that could not go on."""
    out = {}
    for name, scenario in result["scenarios"].items():
        out[name] = {label for label, check in scenario["checks"].items() if check["hard"]}
        if scenario["stopped"]:
            out[name].add("stopped")
    return out


main()
