import { WebSocketServer } from "ws";

const sockets = new WebSocketServer({ noServer: true });
sockets.on("connection", (socket, req) => {
  socket.send(`welcome to ${req.url}`);
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
});

export const upgrade = (req, socket, head) => sockets.handleUpgrade(req, socket, head, (ws) => sockets.emit("connection", ws, req));
export default (_req, res) => res.end("no socket");
