/** How a watcher stands to the server. */
export type ConnectionStatus =
  /** Nothing was heard yet. */
  | 'connecting'
  /** The stream speaks. */
  | 'live'
  /** The stream is mute; the job is asked for instead, every few seconds. */
  | 'polling'
  /** The connection was lost; it is tried again. */
  | 'reconnecting'
  /** The device has no network. */
  | 'offline'
  /** The job has ended and everything of it is here. */
  | 'ended'
  /** There is no such job, or it is somebody else's. */
  | 'not-found'
  /** The access has run out. */
  | 'expired'
