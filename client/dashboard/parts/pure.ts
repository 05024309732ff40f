import { Component } from 'preact'

/** A component that renders only when a property changes, for long lists of rows. */
export abstract class Pure<Props extends object> extends Component<Props> {
  override shouldComponentUpdate(next: Props): boolean {
    return (Object.keys(next) as (keyof Props)[]).some((name) => next[name] !== this.props[name])
  }
}
