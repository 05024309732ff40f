import type { FunctionComponent, VNode } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { Refusal } from '../refusal.ts'
import { Notice } from './notice.tsx'

/**
 * A component whose code is loaded when it is first drawn.
 *
 * @param load imports it
 * @param waiting is drawn meanwhile
 */
export function lazy<Props extends object>(
  load: () => Promise<FunctionComponent<Props>>,
  waiting: VNode | null = null,
): FunctionComponent<Props> {
  let Loaded: FunctionComponent<Props> | undefined
  return function Lazy(props) {
    const [hasFailed, setFailed] = useState<boolean>()
    useEffect(() => {
      if (Loaded) return
      load().then(
        (component) => {
          Loaded = component
          setFailed(false)
        },
        () => setFailed(true),
      )
    }, [])
    // Browsers remember that a module could not be loaded, until the page is loaded again.
    if (hasFailed) return <Notice error={new Refusal(0)} onRetry={() => location.reload()} />
    return Loaded ? <Loaded {...props} /> : waiting
  }
}
