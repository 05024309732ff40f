#!/usr/bin/env bun
import { defaultLimits } from '../../shared/limits.ts'
/** The command line: `milepost serve`. */
import { ConfigError, limitVariable, settings } from '../config.ts'
import { EngineOpenError } from '../engines/engine-open-error.ts'
import { serve } from '../entries/bun.ts'

const [command = 'serve'] = process.argv.slice(2)
try {
  if (command === 'serve') await serve(process.env)
} catch (error) {
  if (!(error instanceof ConfigError || error instanceof EngineOpenError)) throw error
  console.error(error.message)
  process.exit(1)
}
