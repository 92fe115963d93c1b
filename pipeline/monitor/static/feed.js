// The stream of server-sent events. It comes back by itself after the network or the process
// was gone; the first message of a connection brings everything anew.

const RETRY_MS = 2000;

export class Feed {
  // `on` has a function for each kind of message: `message`, and `sights`, `crew`, `overview` by
  // the events' names; `state(connected)` is told of coming and going.
  constructor(on) {
    this.on = on;
    this.source = null;
    this.retry = null;
  }

  // Connect, asking for what `query` names; what is null in it is left out.
  open(query) {
    this.query = query;
    this.source?.close();
    clearTimeout(this.retry);
    const asked = Object.entries(query).filter(([, value]) => value !== null);
    const source = new EventSource(`/live?${new URLSearchParams(asked)}`);
    this.source = source;
    const hear = (kind) => (event) => {
      this.on.state(true);
      this.on[kind](JSON.parse(event.data));
    };
    source.onmessage = hear("message");
    for (const kind of ["sights", "crew", "overview"]) source.addEventListener(kind, hear(kind));
    source.addEventListener("bye", () => this.on.state(false));
    source.onerror = () => {
      this.on.state(false);
      // The browser retries after a cut, but gives up when the server answers with an error.
      if (source.readyState === EventSource.CLOSED && source === this.source) {
        this.retry = setTimeout(() => this.again(), RETRY_MS);
      }
    };
  }

  async again() {
    try {
      const answer = await fetch("/", { method: "HEAD" });
      // The token was changed: the page that the server has now says what to do.
      if (answer.status === 401 || answer.status === 403) location.reload();
    } catch {
      // Still away: the next attempt will tell.
    }
    this.open(this.query);
  }
}
