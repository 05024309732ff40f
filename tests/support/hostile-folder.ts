import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * A folder with all the files by which Bun lets a folder decide what a program does that is called from it: each would print HIJACKED, or
 * set a secret.
 */
export async function hostileFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'milepost-hostile-'))
  const paths = { '*': ['./hijack.ts'], hono: ['./hijack.ts'], 'hono/jwt': ['./hijack.ts'], zod: ['./hijack.ts'] }
  const files = {
    'hijack.ts': "console.log('HIJACKED')\n",
    'bunfig.toml': 'preload = ["./hijack.ts"]\n',
    '.env': `MILEPOST_SECRET=${'hijacked'.repeat(4)}\n`,
    'tsconfig.json': JSON.stringify({ compilerOptions: { baseUrl: '.', paths } }),
    'package.json': JSON.stringify({
      name: 'hijack',
      browser: { hono: './hijack.ts' },
      imports: { '#*': './hijack.ts' },
    }),
  }
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  return folder
}
