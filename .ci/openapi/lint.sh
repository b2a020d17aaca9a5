#!/usr/bin/env bash
# What readers of openapi.yaml make of it: two linters with their recommended rules, and a generator whose types ordinary
# calls must compile with. No error, no warning. The tools are no dependencies of Graft: they are installed here.
set -euo pipefail
cd "$(dirname "$0")"
[[ -d node_modules ]] || npm ci --silent --ignore-scripts
bin=node_modules/.bin
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true
found=$("$bin/redocly" lint ../../openapi.yaml --extends=recommended --format=json 2>/dev/null |
  node -e 'process.stdin.on("data", (d) => (globalThis.t = (globalThis.t ?? "") + d)).on("end", () => {
    const { problems } = JSON.parse(globalThis.t);
    for (const { ruleId, message, location } of problems) console.error(`redocly ${ruleId}: ${message} ${location[0].pointer}`);
    console.log(problems.length);
  })')
echo "redocly: $found errors and warnings"
[[ $found == 0 ]]
"$bin/spectral" lint ../../openapi.yaml --ruleset .spectral.yaml --fail-severity=warn
"$bin/openapi-typescript" ../../openapi.yaml -o schema.d.ts >/dev/null
"$bin/tsc" --noEmit --strict --skipLibCheck --target es2023 --module nodenext --types node calls.ts
echo 'calls.ts compiles'
