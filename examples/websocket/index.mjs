import { WebSocketServer } from "ws";

const server = new WebSocketServer({ noServer: true });

export default {
  fetch: () => new Response("open a WebSocket here\n"),

  /** Called with what node:http's event of this name is called with. */
  upgrade(request, socket, head) {
    server.handleUpgrade(request, socket, head, (client) => {
      client.on("message", (data, isBinary) => client.send(data, { binary: isBinary }));
    });
  },
};
