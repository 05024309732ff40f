/**
 * Prints what is shipped as a CycloneDX document. `npm sbom --omit dev` leaves out what a dev dependency needs too (npm 11.19), so this omits
 * what npm marks as needed for development only.
 */
import { execFileSync } from 'node:child_process'

interface Sbom {
  components: { 'bom-ref': string; properties?: { name: string; value: string }[] }[]
  dependencies: { ref: string; dependsOn: string[] }[]
}

const isForDevelopment = ({ properties = [] }: Sbom['components'][number]) =>
  properties.some(({ name, value }) => name === 'cdx:npm:package:development' && value === 'true')

const sbom: Sbom = JSON.parse(
  execFileSync('npm', ['sbom', '--sbom-format', 'cyclonedx'], { encoding: 'utf8', maxBuffer: 2 ** 26 }),
)
const omitted = new Set(sbom.components.filter(isForDevelopment).map((component) => component['bom-ref']))
const components = sbom.components.filter((component) => !omitted.has(component['bom-ref']))
const dependencies = sbom.dependencies
  .filter(({ ref }) => !omitted.has(ref))
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((other) => !omitted.has(other)) }))
console.log(JSON.stringify({ ...sbom, components, dependencies }, null, 2))
