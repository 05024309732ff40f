import { useRef, useState } from 'preact/hooks'
import type { SessionList } from '../../../shared/wire/api.ts'
import { format } from '../page.ts'
import { useHolding } from '../parts/use-holding.ts'
import { text } from '../text.ts'
import { ConfirmDialog } from './confirm-dialog.tsx'
import { ListFoot } from './list-foot.tsx'
import { usePages } from './use-pages.ts'
import { words } from './words.ts'

type Session = SessionList['sessions'][number]

/** Who is signed in, with a way to end it. */
export function SignedIn() {
  const area = useRef<HTMLElement>(null)
  const [ending, setEnding] = useState<Session>()
  const pages = usePages('api/sessions?', ({ sessions }: SessionList) => sessions, useHolding(area))
  const time = (moment: string) => format.time(Date.parse(moment), Date.now())
  return (
    <section class="card" ref={area}>
      <h2>{words.sessions}</h2>
      <ul class="rows">
        {pages.rows?.map((session) => (
          <li key={session.id} class="row">
            <strong dir="auto">{session.sub}</strong>
            {session.current ? (
              <span class="aside muted">{words.here}</span>
            ) : (
              <button
                type="button"
                class="aside small danger"
                aria-label={text.labelled(words.end, session.sub)}
                onClick={() => setEnding(session)}
              >
                {words.end}
              </button>
            )}
            <small class="muted">
              {session.scopes.includes('jobs:admin') && `${words.admin} · `}
              {words.session(time(session.createdAt), time(session.expiresAt))}
            </small>
          </li>
        ))}
      </ul>
      <ListFoot pages={pages} empty={words.noSessions} />
      {ending && (
        <ConfirmDialog
          title={words.endTitle}
          what={ending.sub}
          hint={words.endHint}
          action={words.end}
          path={`api/sessions/${ending.id}`}
          done={words.ended}
          onDone={pages.reload}
          onClose={() => setEnding(undefined)}
        />
      )}
    </section>
  )
}
