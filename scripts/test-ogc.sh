#!/usr/bin/env bash
# Holds the server at SCARP_TEST_SERVER against the standards: with Scarp's own
# executable form of their abstract tests (ogc/ats), and with the OGC's
# executable test suites where Maven finds them. See scripts/with-demo-server.sh
# for a server. SCARP_REQUIRE_SUITES=1 fails where a suite can't be had.
set -euo pipefail
cd "$(dirname "$0")/.."

go test -count=1 -v -run 'TestServer$' ./ogc/ats | grep -E '^(\||Skipped|FAIL|ok)|^ +--- (FAIL|SKIP)|Error|Messages'

absent() {
  echo "The OGC's executable suite $1 was not run: $2"
  [ -z "${SCARP_REQUIRE_SUITES:-}" ]
}

# fetch NAME VERSION: the suite's jars in build/suites/NAME-VERSION
fetch() {
  local folder=build/suites/$1-$2
  [ -d "$folder" ] && return
  command -v mvn >/dev/null && command -v java >/dev/null || { absent "$1" "it needs Maven and Java 17"; return 1; }
  rm -rf "$folder.part"
  mvn -B -q -C -f ogc/ats/suites/pom.xml -Dsuite="$1" -Dsuite.version="$2" dependency:copy-dependencies \
    -DoutputDirectory="$PWD/$folder.part" >"build/suites-$1.log" 2>&1 && mv "$folder.part" "$folder" ||
    { absent "$1" "Maven does not find version $2 (build/suites-$1.log)"; return 1; }
}

# suite NAME VERSION PACKAGE KEY=VALUE...: adds to the results
results=()
suite() {
  local name=$1 version=$2 package=$3 out
  shift 3
  fetch "$name" "$version" || { [ -z "${SCARP_REQUIRE_SUITES:-}" ]; return; }
  out=$(mktemp -d)
  {
    echo '<?xml version="1.0" encoding="UTF-8"?><properties>'
    for pair in "iut=$SCARP_TEST_SERVER" "$@"; do printf '<entry key="%s">%s</entry>\n' "${pair%%=*}" "${pair#*=}"; done
    echo '</properties>'
  } >"$out/properties.xml"
  java -Xmx512m -cp "build/suites/$name-$version/*" "org.opengis.cite.$package.TestNGController" -o "$out" "$out/properties.xml" >"build/suites-$name.log" 2>&1 || true
  results+=("$name-$version=$(find "$out" -name testng-results.xml | head -1)")
}

mkdir -p build/suites
suite ets-ogcapi-features10 1.9 ogcapifeatures10 noofcollections=-1
suite ets-ogcapi-tiles10 1.2 ogcapitiles10 tilematrixsetdefinitionuri=http://www.opengis.net/def/tilematrixset/OGC/1.0/WebMercatorQuad \
  "urltemplatefortiles=$SCARP_TEST_SERVER/collections/demo_mask/map/tiles/WebMercatorQuad/{tileMatrix}/{tileRow}/{tileCol}" \
  tilematrix=8 mintilerow=102 maxtilerow=103 mintilecol=201 maxtilecol=201
suite ets-ogcapi-processes10 1.3 ogcapiprocesses10 echoprocessid=echo testallprocesses=false processtestlimit=3
[ ${#results[@]} = 0 ] || go run ./ogc/ats/suites "${results[@]}"
