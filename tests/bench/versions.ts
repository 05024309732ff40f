import { CHROMIUM } from '../support/chromium.ts'
import { DENO } from '../support/on-deno.ts'

/** What prints a version, by what is called so; the first number of its output is it. */
const COMMANDS: Record<string, string[]> = {
  Deno: [DENO, '--version'],
  Node: ['node', '--version'],
  nginx: ['/usr/sbin/nginx', '-v'],
  nchan: ['dpkg-query', '-W', '-f', `\${Version}`, 'libnginx-mod-nchan'],
  Chromium: [CHROMIUM, '--version'],
}
const PACKAGES = ['hono', 'better-sse', 'workerd', 'react', '@tanstack/react-query']

/** The versions of what is compared, as `Bun 1.4.5, Deno 2.9.5, …`; of what is there. */
export async function versions(): Promise<string> {
  const found = [`Bun ${Bun.version}`]
  for (const [name, [program = '', ...args]] of Object.entries(COMMANDS)) {
    const path = Bun.which(program)
    if (!path) continue
    const { stdout, stderr } = Bun.spawnSync([path, ...args])
    // The packages of Debian begin with an epoch.
    const version = /(?:\d+:)?(\d[\w.]*)/.exec(`${stdout}${stderr}`)?.[1]
    if (version) found.push(`${name} ${version}`)
  }
  for (const name of PACKAGES) {
    const { version } = await Bun.file(`node_modules/${name}/package.json`).json()
    found.push(`${name} ${version}`)
  }
  return found.join(', ')
}
