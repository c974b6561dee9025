package main

import (
	"cmp"
	"encoding/json"
	"log"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		name := cmp.Or(r.URL.Query().Get("name"), "world")
		w.Header().Set("content-type", "application/json")
		json.NewEncoder(w).Encode(map[string]string{"hello": name})
	})
	log.Fatal(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}
