"""Executes, polls, fetches and dismisses processes of a running Scarp through
OWSLib (0.31 or newer, the first that can execute).

usage: owslib_processes.py URL EVENT
"""

import json
import sys
import time

from owslib.ogcapi.processes import Processes

url, event = sys.argv[1], sys.argv[2]
landslides = {"collection": f"{event}_landslides"}
processes = Processes(url)

listed = [p["id"] for p in processes.processes()]
assert {"map-landslides", "assess-impact", "compare-inventory", "echo"} <= set(listed), listed
assert "exposed" in processes.process("assess-impact")["inputs"]


def resource(path, method="GET"):
    """Asks for what OWSLib has no method of its own for: jobs."""
    return processes._request(method=method, path=path)


def newest(process):
    return processes._request(path="jobs", kwargs={"processID": process, "limit": 1})["jobs"][0]["jobID"]


def finished(job):
    for _ in range(600):
        status = resource(f"jobs/{job}")
        if status["status"] not in ("accepted", "running"):
            return status
        time.sleep(0.1)
    raise SystemExit(f"job {job} does not end")


# Execute and wait.
assert processes.execute("echo", {"message": "hello", "count": 7}) == {"message": "hello", "count": 7}
compared = processes.execute("compare-inventory", {"mapped": landslides, "reference": landslides}, outputs={"summary": {}})
assert compared["summary"]["value"]["by_object"]["f1"] == 1, compared

# Execute, poll, fetch.
west, south, east, north = processes.collection(f"{event}_landslides")["extent"]["spatial"]["bbox"][0]
middle = (south + north) / 2
roads = {"type": "LineString", "coordinates": [[west, middle], [east, middle]]}
processes.execute("assess-impact", {"landslides": landslides, "exposed": roads}, outputs={"summary": {}, "hit": {}}, async_=True)
job = newest("assess-impact")
assert finished(job)["status"] == "successful", resource(f"jobs/{job}")
results = resource(f"jobs/{job}/results")
assert results["summary"]["value"]["lines"]["features"] == 1, results
assert results["hit"]["value"]["type"] == "FeatureCollection"

# Dismiss what runs, then remove it.
processes.execute("echo", {"message": "late", "pause": 60}, async_=True)
job = newest("echo")
assert resource(f"jobs/{job}", "DELETE")["status"] == "dismissed"
assert finished(job)["status"] == "dismissed"
resource(f"jobs/{job}", "DELETE")
try:
    resource(f"jobs/{job}")
    raise SystemExit("the job is still there")
except RuntimeError as e:
    assert "no-such-job" in str(e), e

# What is wrong is said.
try:
    processes.execute("echo", {"count": 1000})
    raise SystemExit("a wrong input was accepted")
except RuntimeError as e:
    assert "count" in str(e), e
print(json.dumps({"compared": compared["summary"]["value"]["by_object"], "impact": results["summary"]["value"]["lines"]}))
