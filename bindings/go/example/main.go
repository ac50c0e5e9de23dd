// Cubes of numbers, by workers in C: go run ./example WORKER, where WORKER is build/check/bindings/peer.
package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"log"
	"os"
	"strings"

	"libmp"
)

func main() {
	pool, err := libmp.NewPool(os.Args[1], libmp.PoolOptions{Workers: 2})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	items := make([][]byte, 5)
	for i := range items {
		items[i] = binary.LittleEndian.AppendUint64(nil, uint64(i+1))
	}
	results, err := pool.Map(context.Background(), "cube", items)
	if err != nil {
		log.Fatal(err)
	}
	cubes := make([]string, len(results))
	for i, result := range results {
		cubes[i] = fmt.Sprint(binary.LittleEndian.Uint64(result))
	}
	fmt.Printf("[%s]\n", strings.Join(cubes, ", "))
}
