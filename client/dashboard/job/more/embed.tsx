import { useId, useState } from 'preact/hooks'
import type { Token } from '../../../../shared/wire/api.ts'
import { jobPath } from '../../../../shared/wire/paths.ts'
import { call } from '../../api.ts'
import { base } from '../../navigation.ts'
import { format } from '../../page.ts'
import { CodeBlock } from '../../parts/code-block.tsx'
import { Notice } from '../../parts/notice.tsx'
import { text } from '../../text.ts'
import { createSnippet } from './snippet.ts'

/** Seconds. A token that is made here lasts no longer than the session. */
const lives = { hour: 3_600, session: 43_200 }

/** How to show the job on another page, and the token that its readers need. */
export function Embed({ jobId }: { jobId: string }) {
  const id = useId()
  const [life, setLife] = useState<keyof typeof lives>('hour')
  const [token, setToken] = useState<Token>()
  const [error, setError] = useState<unknown>()
  const [making, setMaking] = useState(false)
  const words = text.job
  const makeToken = async (event: SubmitEvent) => {
    event.preventDefault()
    setMaking(true)
    setError(undefined)
    try {
      const response = await call(`${jobPath(jobId)}/tokens`, 'POST', {
        can: 'watch',
        parts: 'header',
        seconds: lives[life],
      })
      setToken(await response.json())
    } catch (reason) {
      setError(reason)
    }
    setMaking(false)
  }
  return (
    <section class="card embed">
      <h2>{words.embed}</h2>
      <p class="muted">{words.embedHint}</p>
      <CodeBlock label={words.snippet} code={createSnippet(base, jobPath(jobId), token?.token)} />
      <p class="muted">
        {token ? words.tokenUntil(format.time(Date.parse(token.expiresAt), Date.now())) : words.embedToken}
      </p>
      <form class="token" onSubmit={makeToken}>
        <label for={id}>{words.tokenLife}</label>
        <select id={id} value={life} onChange={(event) => setLife(event.currentTarget.value as keyof typeof lives)}>
          {Object.entries(words.tokenLives).map(([name, label]) => (
            <option key={name} value={name}>
              {label}
            </option>
          ))}
        </select>
        <button type="submit" disabled={making}>
          {words.makeToken}
        </button>
      </form>
      {error !== undefined && <Notice error={error} />}
    </section>
  )
}
