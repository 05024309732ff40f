import type { Principal } from '../access.ts'

/** Whoever follows the link that the server printed, or has the command line print one: the one who runs it. */
export const operator: Principal = { sub: 'local', scopes: ['jobs:read', 'jobs:write', 'jobs:admin'] }
