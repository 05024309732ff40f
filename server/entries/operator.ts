import type { Principal } from '../auth/access.ts'

/** Whoever follows the link that the server printed: the one who runs it, with the jobs of their own. To see everyone's they ask for it. */
export const operator: Principal = { sub: 'local', scopes: ['jobs:read', 'jobs:write'] }
