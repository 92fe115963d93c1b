// The stream of server-sent events. It comes back by itself after the network or the process
// was gone; the first message of a connection brings everything anew.

const RETRY_MS = 2000;

export class Feed {
  // `message(change)` gets every message, `sights(change)` what cameras show in between,
  // `state(connected)` is told of coming and going.
  constructor({ message, sights, state }) {
    this.message = message;
    this.sights = sights;
    this.state = state;
    this.source = null;
    this.retry = null;
    this.camera = null; // the one that is shown large
    this.pictures = true;
  }

  // Connect, asking for the points of one stream (or of none: null).
  open(focus) {
    this.focus = focus;
    this.source?.close();
    clearTimeout(this.retry);
    const query = new URLSearchParams();
    if (focus !== null) query.set("stream", focus);
    if (this.camera !== null) query.set("camera", this.camera);
    if (!this.pictures) query.set("pictures", "no");
    const source = new EventSource(`/live?${query}`);
    this.source = source;
    source.onmessage = (event) => {
      this.state(true);
      this.message(JSON.parse(event.data));
    };
    source.addEventListener("sights", (event) => this.sights(JSON.parse(event.data)));
    source.addEventListener("bye", () => this.state(false));
    source.onerror = () => {
      this.state(false);
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
    this.open(this.focus);
  }
}
