import zeep

GATEWAY, USER, PASSWORD = "http://127.0.0.1:8080", "acme", "s3cret"
FULL = 300

authentication = zeep.Client(f"{GATEWAY}/soap/Authentication.asmx?WSDL").service
credentials = authentication.GetParameters(username=USER, password=PASSWORD)
login = {"token": credentials.Token, "signature": credentials.Signature}

sms = zeep.Client(f"{GATEWAY}/soap/SMS.asmx?WSDL").service
print(f"{sms.GetNewInboxCount(**login)} new", flush=True)
while messages := sms.GetNewInboxMessages(**login):
    for message in messages:
        if message.trackingid:
            word = message.data.split()[0]
            print(f"confirmation: {message.trackingid} to {message.sender} is {word}")
        else:
            print(f"message: {message.sender} says {message.data!r}")
    if len(messages) < FULL:
        break
