"""A client with a live connection: says CONNECTED, publishes until it is cut or SECONDS are over, and says how it ended."""
import sys
import time

import pika

port, user, password, seconds = int(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4])
try:
    parameters = pika.ConnectionParameters(
        "127.0.0.1", port, "/", pika.PlainCredentials(user, password), heartbeat=5,
        client_properties={"connection_name": "orders worker"},
    )
    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()
    channel.queue_declare("q")
    print("CONNECTED", flush=True)
    end = time.time() + seconds
    while time.time() < end:
        channel.basic_publish("", "q", b"x")
        connection.process_data_events(0.1)
    print("ALIVE", flush=True)
except Exception as error:
    print("CUT", type(error).__name__, str(error)[:200], flush=True)
