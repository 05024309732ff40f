import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { call } from '../api.ts'
import { useTitle } from '../page.ts'
import { Heading } from '../parts/heading.tsx'
import { Notice } from '../parts/notice.tsx'
import { text } from '../text.ts'
import { listCalls, type OpenApi } from './openapi.ts'
import { OperationCard } from './operation-card.tsx'
import { SchemaCard } from './schema-card.tsx'

/** The API reference, from `/openapi.json`. */
export function DocsPage() {
  useTitle(text.api.title)
  const [api, setApi] = useState<OpenApi>()
  const [error, setError] = useState<unknown>()
  const load = () => {
    setError(undefined)
    call('openapi.json')
      .then((response) => response.json())
      .then(setApi, setError)
  }
  useEffect(load, [])
  return (
    <>
      <div class="page-head">
        <Heading>{text.api.title}</Heading>
        <a class="aside" href="openapi.json" target="_blank" rel="noreferrer">
          {text.api.openapi}
        </a>
      </div>
      {api?.info.description && <p class="lead">{api.info.description}</p>}
      {error !== undefined && <Notice error={error} onRetry={load} />}
      {api ? <Calls api={api} /> : error === undefined && <p class="muted">{text.loading}</p>}
    </>
  )
}

function Calls({ api }: { api: OpenApi }) {
  const calls = listCalls(api)
  const schemas = Object.entries(api.components?.schemas ?? {})
  return (
    <div class="docs-grid">
      <nav class="contents" aria-label={text.api.contents}>
        <ul>
          <li>
            <a href="docs">
              <span />
              <span>{text.docs}</span>
            </a>
          </li>
          {calls.map(({ id, method, operation, path }) => (
            <li key={id}>
              <ContentsLink id={id}>
                <span class="method">{method}</span>
                <span>{operation.summary ?? path}</span>
              </ContentsLink>
            </li>
          ))}
          <li>
            <ContentsLink id="schemas">
              <span />
              <span>{text.api.schemas}</span>
            </ContentsLink>
          </li>
        </ul>
      </nav>
      <div class="calls">
        {calls.map((one) => (
          <OperationCard key={one.id} call={one} api={api} />
        ))}
        <h2 id="schemas" tabIndex={-1}>
          {text.api.schemas}
        </h2>
        {schemas.map(([name, schema]) => (
          <SchemaCard key={name} name={name} schema={schema} />
        ))}
      </div>
    </div>
  )
}

/** A link within the page. A bare `#id` would be relative to `<base>`. */
function ContentsLink({ id, children }: { id: string; children: ComponentChildren }) {
  const go = (event: MouseEvent) => {
    const target = document.getElementById(id)
    if (!target) return
    event.preventDefault()
    target.scrollIntoView()
    target.focus({ preventScroll: true })
  }
  return (
    <a href={`docs/api#${id}`} onClick={go}>
      {children}
    </a>
  )
}
