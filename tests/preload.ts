/** Bun loads this before any test (bunfig.toml), so that its hook is one of the whole process and not of a file. */
import { afterAll } from 'bun:test'
import { endAll } from './support/at-end.ts'

afterAll(endAll)
