<?php
// The least SOAP program of PHP: php soap_program.php URL USER PASSWORD OPERATION...
// Logs in, calls each operation of the SMS service in turn, and prints what each answered, a line of JSON each.
[, $url, $user, $password] = $argv;
$options = ['cache_wsdl' => WSDL_CACHE_NONE, 'exceptions' => true];
$authentication = new SoapClient("$url/soap/Authentication.asmx?WSDL", $options);
$credentials = $authentication->GetParameters(['username' => $user, 'password' => $password])->GetParametersResult;
$sms = new SoapClient("$url/soap/SMS.asmx?WSDL", $options);
$login = ['token' => $credentials->Token, 'signature' => $credentials->Signature];
foreach (array_slice($argv, 4) as $operation) {
    $answer = $sms->$operation($login);
    echo json_encode($answer->{$operation . 'Result'}), "\n";
}
