/** What others' jobs hold, and no answer to anybody else may: nobody guesses it. */
export const CANARY = 'k4n4ry-0f-th3-v1ct1m'

/** How every markup that is sent begins. No page may hold it as it is. */
export const MARKUP = 'fz<'
